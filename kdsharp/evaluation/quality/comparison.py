"""Scores of networks, of the input and of an unsharp mask on the same pictures."""

import dataclasses
from collections.abc import Sequence

import jax
import numpy as np
from tqdm import tqdm

from kdsharp.base import choices
from kdsharp.core import metrics
from kdsharp.data.decoding import BadPictureError
from kdsharp.errors import UserError
from kdsharp.evaluation.quality import cases, scoring, statistics
from kdsharp.evaluation.quality.gallery import Gallery
from kdsharp.evaluation.quality.restorers import INPUT, PictureRestorer, unsharp_mask

TO_TEACHER = "ssim_to_teacher"

# Programs for more sizes than these would fill the memory.
_SIZES_KEPT = 32


@dataclasses.dataclass(frozen=True)
class ComparedPicture:
    """One picture's scores, by row and metric."""

    name: str
    width: int
    height: int
    scores: dict[str, dict[str, float]]
    grey: bool = False


@dataclasses.dataclass(frozen=True)
class ComparisonRow:
    """What the table says of one row."""

    name: str
    parameters: int | None
    trained_for: str | None
    means: dict[str, statistics.Mean]
    gain: statistics.Mean | None
    wins: int
    share: statistics.Mean | None = None


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """All that was found, and how; `left_out` names what was not judged, and why."""

    rows: list[ComparisonRow]
    pictures: list[ComparedPicture]
    left_out: dict[str, str]
    protocol: str
    shave: int
    against: str | None
    gallery: Gallery


def evaluate(
    judged_by: cases.Cases,
    networks: Sequence[PictureRestorer],
    *,
    protocol: str = "rgb",
    shave: int = 0,
    against: str | None = None,
) -> Evaluation:
    """Returns the scores of every network on every picture that can be judged.

    A picture that one of them cannot restore counts for none. Programs are compiled
    for each size of picture: a network sees the border of its input, so that padding
    to a common size would change what it answers.
    """
    if protocol not in metrics.PROTOCOLS:
        raise choices.unknown("protocol", protocol, metrics.PROTOCOLS)
    restorers = [unsharp_mask(), *networks]
    left_out = dict(judged_by.left_out)
    gallery = Gallery([network.name for network in networks])
    pictures = []
    sizes = set()
    for case in tqdm(judged_by.whole, unit="picture", leave=False, delay=1):
        try:
            pair = case.load()
            sizes.add(pair.sharp.shape)
            if len(sizes) > _SIZES_KEPT:
                jax.clear_caches()
                sizes = {pair.sharp.shape}
            outputs = _restored(pair, restorers)
            pictures.append(_judge(case.name, pair, outputs, protocol, shave, against))
        except (BadPictureError, UserError) as error:
            left_out[case.name] = str(error)
            continue
        gallery.offer(case.name, outputs, pair.sharp)
    if not pictures:
        raise UserError(
            "no picture can be judged: "
            + "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
        )
    known = {restorer.name: restorer for restorer in restorers}
    rows = _rows(pictures, known, against)
    return Evaluation(rows, pictures, left_out, protocol, shave, against, gallery)


def _restored(
    pair: cases.TestPair, restorers: Sequence[PictureRestorer]
) -> dict[str, jax.Array]:
    outputs = {INPUT: pair.blurred}
    for restorer in restorers:
        try:
            outputs[restorer.name] = restorer.restore(pair.blurred)
        except jax.errors.JaxRuntimeError as error:  # Out of memory, most often.
            reason = str(error).splitlines()[0]
            raise UserError(f"{restorer.name} cannot restore it: {reason}") from error
    return outputs


def _judge(
    name: str,
    pair: cases.TestPair,
    outputs: dict[str, jax.Array],
    protocol: str,
    shave: int,
    against: str | None,
) -> ComparedPicture:
    grey = protocol == "luma" and pair.grey
    judged = (lambda x: x) if not grey else scoring.as_grey
    ask = {"protocol": protocol, "shave": shave}
    found = {
        row: scoring.scores(
            judged(restored),
            judged(pair.sharp),
            names=tuple(metrics.OF_PICTURES),
            **ask,
        )
        for row, restored in outputs.items()
    }
    for row, restored in outputs.items() if against else ():
        found[row][TO_TEACHER] = scoring.scores(
            judged(restored), judged(outputs[against]), names=("ssim",), **ask
        )["ssim"]
    height, width = pair.sharp.shape[1:3]
    return ComparedPicture(name, width, height, found, grey)


def _rows(
    pictures: list[ComparedPicture],
    restorers: dict[str, PictureRestorer],
    against: str | None,
) -> list[ComparisonRow]:
    def column(row: str, metric: str) -> list[float]:
        scores = (picture.scores[row] for picture in pictures)
        return [score[metric] for score in scores if metric in score]

    names = list(pictures[0].scores)
    wanted = (*metrics.OF_PICTURES, *([TO_TEACHER] if against else []))
    psnr = {name: column(name, "psnr") for name in names}
    wins = statistics.wins(psnr)
    gains = {name: _difference(psnr[name], psnr[INPUT]) for name in names}
    rows = []
    for name in names:
        restorer = restorers.get(name)
        columns = {metric: column(name, metric) for metric in wanted}
        rows.append(
            ComparisonRow(
                name,
                restorer and restorer.parameters,
                restorer and restorer.trained_for,
                {m: statistics.mean(values) for m, values in columns.items() if values},
                statistics.mean(gains[name]) if name != INPUT else None,
                wins[name],
                _share(gains, name, against),
            )
        )
    return rows


def _difference(above: list[float], below: list[float]) -> np.ndarray:
    """Returns what is gained; between infinities, nothing."""
    above, below = np.array(above), np.array(below)
    return np.subtract(above, below, where=above != below, out=np.zeros(len(above)))


def _share(
    gains: dict[str, np.ndarray], name: str, against: str | None
) -> statistics.Mean | None:
    """Returns how much of the teacher's gain is kept, where the teacher has one."""
    if not against or name == INPUT or gains[against].mean() <= 0:
        return None
    return statistics.ratio(gains[name], gains[against])
