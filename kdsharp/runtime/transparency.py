"""Fills in colours under full transparency.

Files may hold any colour there, most often black. If a network saw it, its edge would
bleed into the visible pixels next to it.
"""

import numpy as np
from jaxtyping import Bool, Shaped


def fill_radius(radius: int) -> int:
    """The largest distance from which `fill_hidden` takes colours."""
    return _scales(radius)[-1]


def fill_hidden(
    colours: Shaped[np.ndarray, "h w c"], visible: Bool[np.ndarray, "h w"], radius: int
) -> Shaped[np.ndarray, "h w c"]:
    """Fills hidden pixels with the mean of the visible colours around them.

    Hidden pixels farther than `radius` from anything visible may keep their colour.
    """
    covered = colours.copy()
    missing = ~visible
    weight = visible.astype(np.int64)
    exact = np.int64 if np.issubdtype(colours.dtype, np.integer) else np.float64
    seen = np.where(visible[..., None], colours, 0).astype(exact)
    # Use the smallest square that contains any visible pixel.
    for scale in _scales(radius):
        count = _sum_around(weight, scale)
        here = missing & (count > 0)
        if here.any():
            means = _sum_around(seen, scale)[here] / count[here][:, None]
            covered[here] = means.astype(colours.dtype)
            missing &= ~here
        if not missing.any():
            break
    return covered


def _scales(radius: int) -> list[int]:
    """The powers of two up to the first that is at least `radius`."""
    return [2**power for power in range(max(radius - 1, 0).bit_length() + 1)]


def _sum_around(x: np.ndarray, scale: int) -> np.ndarray:
    """Sums each pixel and its neighbours up to `scale` away (a box filter)."""
    for axis in (0, 1):
        size = x.shape[axis]
        sums = np.cumsum(x, axis=axis)
        sums = np.concatenate([np.zeros_like(sums.take([0], axis)), sums], axis)
        at = np.arange(size)
        x = sums.take(np.minimum(at + scale + 1, size), axis)
        x -= sums.take(np.maximum(at - scale, 0), axis)
    return x
