"""Detects scene changes between planes of video, from coarse means of blocks."""

import numpy as np
from jaxtyping import Float, Shaped

from kdsharp.core import color
from kdsharp.export import gains, levels

Plane = Shaped[np.ndarray, "h w *c"]
Blocks = Float[np.ndarray, "rows columns"]

# There are about _BLOCKS blocks along the side of a square. In another scene, their
# mean absolute difference exceeds this fraction of the contrast, and the noise.
_BLOCKS = 30
_CONTRAST, _NOISE = 0.4, 0.004


def blocks(plane: Plane, pixels: levels.Levels) -> Blocks:
    """Mean luma of blocks in [0, 1], sampled from four rows of each block."""
    height, width = plane.shape[:2]
    side = max(round((height * width) ** 0.5 / _BLOCKS / 4), 1) * 4
    if min(height, width) < side:
        return luma(plane, pixels)
    rows = plane[: height // side * side : side // 4, : width // side * side]
    return luma(rows, pixels).reshape(-1, 4, width // side, side).mean((1, 3))


def is_other(coarse: Blocks, before: Blocks) -> bool:
    """Whether two planes with these blocks show different scenes."""
    apart = np.abs(coarse - before).mean()
    contrast = min(np.abs(x - x.mean()).mean() for x in (coarse, before))
    return bool(apart > _NOISE and apart > _CONTRAST * contrast)


def luma(plane: Plane, pixels: levels.Levels) -> Float[np.ndarray, "h w"]:
    """Converts a plane to luma in [0, 1]."""
    if plane.ndim == 3:
        plane = gains.as_luma(plane, color.BT601)
    floats = plane.astype(np.float32)
    floats -= np.float32(pixels.black)
    floats *= np.float32(1 / (pixels.white - pixels.black))
    return floats
