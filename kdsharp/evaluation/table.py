"""The score table of a run's report: several networks on the same pictures."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import numpy as np

from kdsharp.core import metrics
from kdsharp.core.degradations import Degradation
from kdsharp.evaluation import text
from kdsharp.evaluation.quality import cases, scoring
from kdsharp.training.step import sharp_and_blurred

Restore = Callable[[jax.Array], jax.Array]
Scores = dict[str, dict[str, float]]

INPUT = "input"


def score(
    records: Iterable[dict[str, Any]],
    restorers: Mapping[str, Restore],
    degrade: Degradation,
    *,
    channels: int = 3,
    seed: int = 0,
) -> list[Scores]:
    """Scores the input and each restorer on each record of a source.

    A restorer maps blurred pixels to restored ones, and windows of several frames to
    their last frame.
    """
    rows = []
    for index, record in enumerate(records):
        sharp, blurred = blur(record, degrade, channels=channels, seed=seed + index)
        outputs = {INPUT: last_frame(blurred)}
        outputs |= {name: restore(blurred) for name, restore in restorers.items()}
        sharp = last_frame(sharp)
        rows.append({name: scoring.scores(x, sharp) for name, x in outputs.items()})
    return rows


def blur(
    record: dict[str, Any], degrade: Degradation, *, channels: int, seed: int
) -> tuple[jax.Array, jax.Array]:
    """Converts a record to a sharp and a blurred batch of one.

    Records without a blurred picture are cropped to a multiple of the degradation's
    factor, then blurred.
    """
    factor = 1 if "blurred" in record else degrade.factor
    batch = {
        name: cases.crop_to_multiple(value, factor)[None]
        for name, value in record.items()
        if isinstance(value, np.ndarray)
    }
    keys = jax.random.split(jax.random.key(seed), 1)
    return sharp_and_blurred(batch, keys, degrade, channels)


def last_frame(pixels: jax.Array) -> jax.Array:
    """The last frame of windows `[b, t, h, w, c]`; pictures as they are."""
    return pixels if pixels.ndim == 4 else pixels[:, -1]


def means(rows: list[Scores]) -> Scores:
    """Averages scores over pictures."""
    return {
        name: {
            metric: metrics.mean([row[name][metric] for row in rows])
            for metric in metrics.METRICS
        }
        for name in rows[0]
    }


def markdown(scores: Scores, parameters: Mapping[str, int]) -> str:
    """Formats the table, with the gain over the input in the last column."""
    base = scores[INPUT]["psnr"]
    lines = [["", "parameters", "PSNR, dB", "SSIM", "MSE", "gain, dB"]]
    for name, values in scores.items():
        lines.append(
            [
                name,
                f"{parameters[name]:,}" if name in parameters else "",
                f"{values['psnr']:.2f}",
                f"{values['ssim']:.4f}",
                f"{values['mse']:.3e}",
                "" if name == INPUT else f"{values['psnr'] - base:+.2f}",
            ]
        )
    return text.table(lines)
