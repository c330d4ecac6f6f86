"""Compares networks, the input and an unsharp mask on the same pictures."""

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

# The number of picture sizes whose compiled programs are kept in memory.
_MAX_SIZES = 32


@dataclasses.dataclass(frozen=True)
class PictureScores:
    """The scores of one picture by restorer and metric."""

    name: str
    width: int
    height: int
    scores: dict[str, dict[str, float]]
    grey: bool = False


@dataclasses.dataclass(frozen=True)
class ComparisonRow:
    """A row of the table: a restorer and its means."""

    name: str
    parameters: int | None
    trained_for: str | None
    means: dict[str, statistics.Mean]
    gain: statistics.Mean | None
    wins: int
    share: statistics.Mean | None = None


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The results and their protocol; `left_out` holds pictures and reasons."""

    rows: list[ComparisonRow]
    pictures: list[PictureScores]
    left_out: dict[str, str]
    protocol: str
    shave: int
    against: str | None
    gallery: Gallery


def evaluate(
    test_cases: cases.Cases,
    networks: Sequence[PictureRestorer],
    *,
    protocol: str = "rgb",
    shave: int = 0,
    against: str | None = None,
) -> Evaluation:
    """Scores every network on every usable picture.

    A picture that one network cannot restore is left out for all. Programs are compiled
    for each picture size, since padding to a common size would change the networks'
    results near borders.
    """
    if protocol not in metrics.PROTOCOLS:
        raise choices.unknown("protocol", protocol, metrics.PROTOCOLS)
    restorers = [unsharp_mask(), *networks]
    left_out = dict(test_cases.left_out)
    gallery = Gallery([network.name for network in networks])
    pictures = []
    sizes = set()
    for case in tqdm(test_cases.usable, unit="picture", leave=False, delay=1):
        try:
            pair = case.load()
            sizes.add(pair.sharp.shape)
            if len(sizes) > _MAX_SIZES:
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
            "no picture can be scored: "
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
        except jax.errors.JaxRuntimeError as error:  # Usually out of memory.
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
) -> PictureScores:
    grey = protocol == "luma" and pair.grey
    judged = (lambda x: x) if not grey else scoring.as_grey
    ask = {"protocol": protocol, "shave": shave}
    scores = {
        row: scoring.scores(
            judged(restored),
            judged(pair.sharp),
            names=tuple(metrics.OF_PICTURES),
            **ask,
        )
        for row, restored in outputs.items()
    }
    if against:
        for row, restored in outputs.items():
            scores[row][TO_TEACHER] = scoring.scores(
                judged(restored), judged(outputs[against]), names=("ssim",), **ask
            )["ssim"]
    height, width = pair.sharp.shape[1:3]
    return PictureScores(name, width, height, scores, grey)


def _rows(
    pictures: list[PictureScores],
    restorers: dict[str, PictureRestorer],
    against: str | None,
) -> list[ComparisonRow]:
    def column(row: str, metric: str) -> list[float]:
        scores = (picture.scores[row] for picture in pictures)
        return [score[metric] for score in scores if metric in score]

    names = list(pictures[0].scores)
    compared = (*metrics.OF_PICTURES, *([TO_TEACHER] if against else []))
    psnr = {name: column(name, "psnr") for name in names}
    wins = statistics.wins(psnr)
    gains = {name: _gains(psnr[name], psnr[INPUT]) for name in names}
    rows = []
    for name in names:
        restorer = restorers.get(name)
        columns = {metric: column(name, metric) for metric in compared}
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


def _gains(above: Sequence[float], below: Sequence[float]) -> np.ndarray:
    """The differences, which are 0 between two infinite values."""
    a, b = np.array(above), np.array(below)
    return np.subtract(a, b, where=a != b, out=np.zeros(len(a)))


def _share(
    gains: dict[str, np.ndarray], name: str, against: str | None
) -> statistics.Mean | None:
    """The fraction of the teacher's gain that is kept; None if it has no gain."""
    if not against or name == INPUT or gains[against].mean() <= 0:
        return None
    return statistics.ratio(gains[name], gains[against])
