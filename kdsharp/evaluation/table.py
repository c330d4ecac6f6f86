"""Scores of several networks on the same pictures, as rows that a person reads."""

from collections.abc import Callable, Iterable, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from kdsharp.core import color, metrics
from kdsharp.core.degradations import Degradation

Restore = Callable[[jax.Array], jax.Array]
Scores = dict[str, dict[str, float]]

INPUT = "input"


def score(
    pictures: Iterable[np.ndarray],
    restorers: Mapping[str, Restore],
    degrade: Degradation,
    *,
    channels: int = 3,
    seed: int = 0,
) -> list[Scores]:
    """Returns, picture by picture, the scores of the input and of each restorer.

    A restorer maps blurred pixels to restored ones.
    """
    measure = jax.jit(
        lambda restored, sharp: {
            name: metric(restored, sharp)[0] for name, metric in metrics.METRICS.items()
        }
    )
    rows = []
    for index, picture in enumerate(pictures):
        sharp, blurred = blur(picture, degrade, channels=channels, seed=seed + index)
        outputs = {INPUT: blurred}
        outputs |= {name: restore(blurred) for name, restore in restorers.items()}
        rows.append(
            {
                name: {k: float(v) for k, v in measure(restored, sharp).items()}
                for name, restored in outputs.items()
            }
        )
    return rows


def blur(
    picture: np.ndarray, degrade: Degradation, *, channels: int, seed: int
) -> tuple[jax.Array, jax.Array]:
    """Returns a uint8 picture as a sharp and a blurred batch of one."""
    sharp = jnp.asarray(picture, jnp.float32)[None] / 255
    if channels == 1:
        sharp = color.luma(sharp)
    return sharp, degrade(jax.random.split(jax.random.key(seed), 1), sharp)


def means(rows: list[Scores]) -> Scores:
    """Returns the mean scores over the pictures."""
    return {
        name: {
            metric: float(np.mean([row[name][metric] for row in rows]))
            for metric in metrics.METRICS
        }
        for name in rows[0]
    }


def markdown(scores: Scores, parameters: Mapping[str, int]) -> str:
    """Returns the table, the gain over the input in its last column."""
    base = scores[INPUT]["psnr"]
    lines = [
        "|         | parameters | PSNR, dB |   SSIM |       MSE | gain, dB |",
        "| ------- | ---------: | -------: | -----: | --------: | -------: |",
    ]
    for name, values in scores.items():
        count = f"{parameters[name]:,}" if name in parameters else ""
        gain = "" if name == INPUT else f"{values['psnr'] - base:+.2f}"
        lines.append(
            f"| {name:7} | {count:>10} | {values['psnr']:8.2f} | {values['ssim']:.4f} "
            f"| {values['mse']:.3e} | {gain:>8} |"
        )
    return "\n".join(lines)
