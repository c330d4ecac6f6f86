"""Crops of a photograph for tests."""

import numpy as np
import skimage.data


def crops(
    count: int, height: int = 61, width: int = 83, channels: int = 3
) -> np.ndarray:
    """Different crops of one photograph, as uint8 `[count, h, w, channels]`."""
    picture = skimage.data.astronaut()
    parts = [
        picture[top : top + height, left : left + width, :channels]
        for top, left in ((20 + 23 * i, 130 + 17 * i) for i in range(count))
    ]
    return np.stack(parts)


def as_float(pictures: np.ndarray) -> np.ndarray:
    """Converts uint8 pictures to float32 in [0, 1]."""
    return pictures / np.float32(255)


def as_planes(pictures: np.ndarray) -> np.ndarray:
    """Converts uint8 pictures to float32 in [0, 1], NCHW."""
    return as_float(pictures).transpose(0, 3, 1, 2)
