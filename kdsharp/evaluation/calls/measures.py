"""What is measured of restored luma beside the true one, frame by frame.

Planes are uint8 in studio range, `[frame, h, w]`; what a screen cannot show is clipped.
"""

import functools

import jax
import numpy as np
from jaxtyping import Float, UInt8

from kdsharp.core import similarity

Planes = UInt8[np.ndarray, "n h w"]
Shown = Float[np.ndarray, "n h w"]

_BLACK, _WHITE = 16, 235
# Of equal frames PSNR is infinite; means need a number.
MOST_PSNR = 100.0
# Keeps ratios finite where a picture is flat.
_NEXT_TO_NOTHING = 1e-6
# Every eighth frame has the metrics that take long.
EVERY = 8


def measure(restored: Planes, true: Planes, grid: int) -> dict[str, float | None]:
    """All measures but VMAF, as means over the frames.

    There are two frames at least. `flicker_still` is None where nothing stays the same,
    `flicker_moving` where nothing moves.
    """
    a, b = as_shown(restored), as_shown(true)
    some_a, some_b = a[::EVERY], b[::EVERY]
    return {
        "psnr": float(np.mean(psnr(a, b))),
        "ssim": float(np.mean(_ssim()(some_a[..., None], some_b[..., None]))),
        "sharpness": edge_energy(some_a) / max(edge_energy(some_b), _NEXT_TO_NOTHING),
        "blocking": blocking(some_a, grid),
        **flicker(a, b),
    }


def as_shown(planes: Planes) -> Shown:
    """Black is 0, white 1."""
    levels = np.arange(256, dtype=np.float32)
    table = (np.clip(levels, _BLACK, _WHITE) - _BLACK) / (_WHITE - _BLACK)
    return table[planes]


def psnr(restored: Shown, true: Shown) -> Float[np.ndarray, " n"]:
    """Of each frame, in dB, at most `MOST_PSNR`."""
    error = np.mean(np.square(restored - true), axis=(1, 2), dtype=np.float64)
    return np.minimum(-10 * np.log10(np.maximum(error, 1e-30)), MOST_PSNR)


def edge_energy(planes: Shown) -> float:
    """The mean squared difference of neighbours, down and across."""
    return float(
        np.mean(np.square(np.diff(planes, axis=1)), dtype=np.float64)
        + np.mean(np.square(np.diff(planes, axis=2)), dtype=np.float64)
    )


def blocking(planes: Shown, grid: int) -> float:
    """How much larger steps across a grid's lines are than those beside them.

    1 is no blocking. Steps beside a line are two pixels before and after it.
    """
    on, beside = 0.0, 0.0
    for axis in (1, 2):
        steps = np.abs(np.diff(planes, axis=axis))
        profile = steps.mean(axis=(0, 3 - axis), dtype=np.float64)
        lines = np.arange(grid - 1, len(profile) - 2, grid)
        on += float(profile[lines].sum())
        beside += float(profile[lines - 2].sum() + profile[lines + 2].sum()) / 2
    return (on + _NEXT_TO_NOTHING) / (beside + _NEXT_TO_NOTHING)


def flicker(restored: Shown, true: Shown) -> dict[str, float | None]:
    """How much frames change beside how much they should, in levels of 255.

    `flicker` is of all pixels, the others of those that stay the same from one true
    frame to the next and of those that do not.
    """
    should = np.diff(true, axis=0)
    change = np.abs(np.diff(restored, axis=0) - should)
    still = np.abs(should) < 1.5 / (_WHITE - _BLACK)
    count, total = int(still.sum()), change.sum(dtype=np.float64)
    quiet = float(np.sum(change, where=still, dtype=np.float64))
    moving = still.size - count
    return {
        "flicker": 255 * float(total) / still.size,
        "flicker_still": 255 * quiet / count if count else None,
        "flicker_moving": 255 * (float(total) - quiet) / moving if moving else None,
    }


@functools.cache
def _ssim():
    return jax.jit(similarity.ssim)
