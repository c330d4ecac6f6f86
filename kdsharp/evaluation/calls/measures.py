"""Full-reference measures of restored luma, averaged over frames.

Planes are uint8 in studio range, `[frame, h, w]`; values outside it are clipped.
"""

import functools

import jax
import numpy as np
from jaxtyping import Float, UInt8

from kdsharp.core import metrics, similarity

Planes = UInt8[np.ndarray, "n h w"]
Shown = Float[np.ndarray, "n h w"]

_BLACK, _WHITE = 16, 235
# Keeps ratios finite for flat pictures.
_EPSILON = 1e-6
# Slow metrics are computed on every eighth frame.
SUBSAMPLE = 8


def measure(restored: Planes, true: Planes, grid: int) -> dict[str, float | None]:
    """Computes all measures but VMAF, as means over at least two frames.

    `flicker_still` is None if no pixel is still, `flicker_moving` if none moves.
    """
    a, b = to_unit_range(restored), to_unit_range(true)
    some_a, some_b = a[::SUBSAMPLE], b[::SUBSAMPLE]
    return {
        "psnr": float(np.mean(psnr(a, b))),
        "ssim": float(np.mean(_ssim()(some_a[..., None], some_b[..., None]))),
        "sharpness": edge_energy(some_a) / max(edge_energy(some_b), _EPSILON),
        "blocking": blocking(some_a, grid),
        **flicker(a, b),
    }


def to_unit_range(planes: Planes) -> Shown:
    """Converts studio range to [0, 1]: black is 0, white is 1."""
    levels = np.arange(256, dtype=np.float32)
    table = (np.clip(levels, _BLACK, _WHITE) - _BLACK) / (_WHITE - _BLACK)
    return table[planes]


def psnr(restored: Shown, true: Shown) -> Float[np.ndarray, " n"]:
    """PSNR of each frame in dB, at most 100."""
    error = np.mean(np.square(restored - true), axis=(1, 2), dtype=np.float64)
    return np.minimum(-10 * np.log10(np.maximum(error, 1e-30)), metrics.MAX_PSNR)


def edge_energy(planes: Shown) -> float:
    """Mean squared difference between neighbouring pixels, vertical plus horizontal."""
    return float(
        np.mean(np.square(np.diff(planes, axis=1)), dtype=np.float64)
        + np.mean(np.square(np.diff(planes, axis=2)), dtype=np.float64)
    )


def blocking(planes: Shown, grid: int) -> float:
    """Ratio of the pixel differences across block borders to those two pixels away.

    1 means no blocking.
    """
    on, beside = 0.0, 0.0
    for axis in (1, 2):
        steps = np.abs(np.diff(planes, axis=axis))
        profile = steps.mean(axis=(0, 3 - axis), dtype=np.float64)
        lines = np.arange(grid - 1, len(profile) - 2, grid)
        on += float(profile[lines].sum())
        beside += float(profile[lines - 2].sum() + profile[lines + 2].sum()) / 2
    return (on + _EPSILON) / (beside + _EPSILON)


def flicker(restored: Shown, true: Shown) -> dict[str, float | None]:
    """Mean error of the change between frames, in levels of 255.

    `flicker` is over all pixels; the others are over pixels that are still between true
    frames, and over those that are not.
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
