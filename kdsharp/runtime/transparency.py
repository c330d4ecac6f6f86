"""Colours where nothing is seen of them.

Under full transparency files hold any colour, black more often than not; a network that
saw it would draw its edge into what is visible beside it.
"""

import numpy as np
from jaxtyping import Bool, Shaped


def reach(radius: int) -> int:
    """Returns how far a pixel that `cover` fills for `radius` depends on others."""
    return _scales(radius)[-1]


def cover(
    colours: Shaped[np.ndarray, "h w c"], visible: Bool[np.ndarray, "h w"], radius: int
) -> Shaped[np.ndarray, "h w c"]:
    """Returns the colours, and the visible ones around it for what is not visible.

    What is farther than `radius` from anything visible may stay.
    """
    covered = colours.copy()
    missing = ~visible
    weight = visible.astype(np.int64)
    exact = np.int64 if np.issubdtype(colours.dtype, np.integer) else np.float64
    seen = np.where(visible[..., None], colours, 0).astype(exact)
    # The nearest colours count, so the smallest square that holds any.
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
    """Returns 1, 2, 4 and so on, as far as the radius."""
    return [2**power for power in range(max(radius - 1, 0).bit_length() + 1)]


def _sum_around(x: np.ndarray, scale: int) -> np.ndarray:
    """Returns the sum of each pixel and its neighbours as far as `scale`."""
    for axis in (0, 1):
        size = x.shape[axis]
        sums = np.cumsum(x, axis=axis)
        sums = np.concatenate([np.zeros_like(sums.take([0], axis)), sums], axis)
        at = np.arange(size)
        x = sums.take(np.minimum(at + scale + 1, size), axis)
        x -= sums.take(np.maximum(at - scale, 0), axis)
    return x
