"""What is cut out of pictures by position."""

import numpy as np
from jaxtyping import Shaped


def center_crop(
    picture: Shaped[np.ndarray, "h w *c"], height: int, width: int
) -> Shaped[np.ndarray, "H W *c"]:
    """The middle of a picture, no higher and no wider than it is.

    Where it cannot be in the very middle, it lies half a pixel above or left of it.
    """
    height, width = min(height, picture.shape[0]), min(width, picture.shape[1])
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return picture[top : top + height, left : left + width]
