"""Less of a source: its first pictures, each reduced, and of each its middle."""

from typing import Any

import numpy as np
from PIL import Image

from kdsharp.core import cropping


class Subset:
    """The first `first` pictures, each as its middle of `crop` by `crop` pixels.

    Before that each is reduced until its shorter side has `short` pixels. Zero takes
    all; a picture that is smaller already stays as it is.
    """

    def __init__(self, source, *, first: int = 0, short: int = 0, crop: int = 0):
        self._source = source
        self._count = min(first or len(source), len(source))
        self._short = short
        self._crop = crop

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> dict[str, Any]:
        """The part of the picture at `index`."""
        if not -self._count <= index < self._count:
            raise IndexError(index)
        record = self._source[index % self._count]
        return {
            name: self._cropped(self._reduced(value))
            if isinstance(value, np.ndarray)
            else value
            for name, value in record.items()
        }

    @property
    def skipped(self) -> list[str]:
        """Names of the files found damaged so far."""
        return self._source.skipped

    @property
    def window(self) -> int | None:
        """How many pictures are best used in turn; None for all of them."""
        return self._source.window

    @property
    def smallest(self) -> tuple[str, int, int] | None:
        """Key, height and width of the smallest picture, unless it may be left out."""
        if self._count < len(self._source) or self._source.smallest is None:
            return None
        key, height, width = self._source.smallest
        height, width = self._size(height, width)
        crop = self._crop or max(height, width)
        return key, min(height, crop), min(width, crop)

    def _size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of a picture once it is reduced."""
        shorter = min(height, width)
        if not self._short or shorter <= self._short:
            return height, width
        # In whole numbers: the shorter side comes out as it was asked for.
        height, width = (
            (side * self._short + shorter // 2) // shorter for side in (height, width)
        )
        return height, width

    def _reduced(self, picture: np.ndarray) -> np.ndarray:
        height, width = self._size(*picture.shape[:2])
        if (height, width) == picture.shape[:2]:
            return picture
        resized = Image.fromarray(picture).resize(
            (width, height), Image.Resampling.LANCZOS
        )
        return np.asarray(resized)

    def _cropped(self, picture: np.ndarray) -> np.ndarray:
        if not self._crop:
            return picture
        return cropping.center_crop(picture, self._crop, self._crop)
