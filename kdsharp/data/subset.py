"""Subsets of a source: the first pictures, downscaled and centre-cropped."""

from typing import Any

import numpy as np
from PIL import Image

from kdsharp.core import cropping


class Subset:
    """The first `first` pictures of a source, downscaled and centre-cropped.

    Pictures are downscaled to `short` pixels on the shorter side, then cropped to
    `crop` by `crop` pixels. 0 disables each; smaller pictures stay as they are.
    """

    def __init__(self, source, *, first: int = 0, short: int = 0, crop: int = 0):
        self._source = source
        self._count = min(first or len(source), len(source))
        self._short = short
        self._crop = crop

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> dict[str, Any]:
        """The record at `index`, with its pictures downscaled and cropped."""
        if not -self._count <= index < self._count:
            raise IndexError(index)
        record = self._source[index % self._count]
        return {
            name: self._center_crop(self._downscale(value))
            if isinstance(value, np.ndarray)
            else value
            for name, value in record.items()
        }

    @property
    def skipped(self) -> list[str]:
        """Names of damaged files found so far."""
        return self._source.skipped

    @property
    def window(self) -> int | None:
        """That of the source."""
        return self._source.window

    @property
    def smallest(self) -> tuple[str, int, int] | None:
        """Key, height and width of the smallest picture, or None if unknown."""
        if self._count < len(self._source) or self._source.smallest is None:
            return None
        key, height, width = self._source.smallest
        height, width = self._size(height, width)
        crop = self._crop or max(height, width)
        return key, min(height, crop), min(width, crop)

    def _size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of a picture after downscaling."""
        shorter = min(height, width)
        if not self._short or shorter <= self._short:
            return height, width
        # Integer arithmetic, so that the shorter side is exactly `short`.
        height, width = (
            (side * self._short + shorter // 2) // shorter for side in (height, width)
        )
        return height, width

    def _downscale(self, picture: np.ndarray) -> np.ndarray:
        height, width = self._size(*picture.shape[:2])
        if (height, width) == picture.shape[:2]:
            return picture
        resized = Image.fromarray(picture).resize(
            (width, height), Image.Resampling.LANCZOS
        )
        return np.asarray(resized)

    def _center_crop(self, picture: np.ndarray) -> np.ndarray:
        if not self._crop:
            return picture
        return cropping.center_crop(picture, self._crop, self._crop)
