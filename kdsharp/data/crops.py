"""Crops out of sheets, cut and changed on the device as the pipeline does it elsewhere.

Everything here is jitted. What chance decides of a crop depends on its key alone, so
that neither its batch nor its device matters.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Key, UInt8

from kdsharp.core.degradations import resampling
from kdsharp.data.pipeline import SHRUNK_AT_MOST
from kdsharp.data.sheets import Sheets

# Between these factors contrast is stretched.
_STRETCH = (2.0, 32.0)
_CHANNELS = 3

Crop = UInt8[Array, "height width 3"]


class _Drawn(NamedTuple):
    """What chance decided of a crop."""

    top: Array
    left: Array
    # Of the square that is cut.
    size: Array
    across: Array
    down: Array
    swap: Array
    stretched: Array
    middle: Array
    factor: Array


@dataclasses.dataclass(frozen=True)
class Cut:
    """Squares out of pictures: `patch_size`, `augment`, `shrink` and `extremes` as in
    `pipeline.batches`.

    `reach` is the size of the largest square that may be cut.
    """

    patch_size: int
    augment: str
    shrink: float
    extremes: float
    reach: int

    def __call__(
        self, sheets: Sheets, pictures: Int[Array, " b"], keys: Key[Array, " b"]
    ) -> dict[str, UInt8[Array, "b patch patch 3"]]:
        """Returns a crop of each picture, the same of each of a pair."""
        alone = len(sheets.pixels) == 1
        drawn = jax.vmap(self._draw)(keys, sheets.places[pictures])
        crops = {}
        for name, sheet in sheets.pixels.items():
            crop = jax.vmap(self._slice, (None, 0))(sheet, drawn)
            if self.reach != self.patch_size:
                crop = self._reduce(crop, drawn.size)
            crop = jax.vmap(self._turn)(crop, drawn)
            if alone and self.extremes:
                crop = jax.vmap(_stretch)(crop, drawn)
            crops[name] = crop
        return crops

    def _draw(self, key: Key[Array, ""], place: Int[Array, "4"]) -> _Drawn:
        top, left, height, width = place
        shrink, size, down, across, turn, extreme, middle, factor = jax.random.split(
            key, 8
        )
        side = jnp.int32(self.patch_size)
        if self.reach != self.patch_size:
            least = jnp.minimum(height, width)
            most = jnp.minimum(SHRUNK_AT_MOST, least / self.patch_size)
            larger = self.patch_size * most ** jax.random.uniform(size)
            larger = jnp.clip(larger.astype(jnp.int32), self.patch_size, least)
            shrunk = jax.random.uniform(shrink) < self.shrink
            side = jnp.where(shrunk, larger, side)
        low, high = np.log(_STRETCH)
        turned = jax.random.bernoulli(turn, 0.5, (3,))
        mirrored, flipped, swapped = turned
        return _Drawn(
            top + jax.random.randint(down, (), 0, height - side + 1),
            left + jax.random.randint(across, (), 0, width - side + 1),
            side,
            mirrored,
            flipped,
            swapped,
            jax.random.uniform(extreme) < self.extremes,
            jax.random.randint(middle, (2,), 0, self.patch_size),
            jnp.exp(jax.random.uniform(factor, minval=low, maxval=high)),
        )

    def _slice(
        self, sheet: UInt8[Array | np.ndarray, "rows columns"], drawn: _Drawn
    ) -> Crop:
        start = drawn.top, drawn.left * _CHANNELS
        size = self.reach, self.reach * _CHANNELS
        square = jax.lax.dynamic_slice(sheet, start, size)
        return square.reshape(self.reach, self.reach, _CHANNELS)

    def _reduce(
        self, crops: UInt8[Array, "b reach reach 3"], sizes: Int[Array, " b"]
    ) -> UInt8[Array, "b patch patch 3"]:
        """Returns the top left squares of those sizes as Pillow reduces them."""
        planes = resampling.resize_planes(
            crops.transpose(0, 3, 1, 2).astype(jnp.float32) / 255,
            (self.patch_size, self.patch_size),
            "bicubic",
            source=jnp.stack([sizes, sizes], axis=-1),
        )
        return jnp.round(planes * 255).astype(jnp.uint8).transpose(0, 2, 3, 1)

    def _turn(self, crop: Crop, drawn: _Drawn) -> Crop:
        if self.augment != "none":
            crop = jnp.where(drawn.across, crop[:, ::-1], crop)
        if self.augment == "dihedral":
            crop = jnp.where(drawn.down, crop[::-1], crop)
            crop = jnp.where(drawn.swap, crop.swapaxes(0, 1), crop)
        return crop


def create(
    sheets: Sheets, *, patch_size: int, augment: str, shrink: float, extremes: float
) -> Cut:
    """Returns the cut for sheets that end in `margin(patch_size, shrink)` pixels."""
    reach = patch_size
    if shrink and len(sheets.pixels) == 1:
        largest = sheets.places[:, 2:].min(axis=1).max()
        reach = min(patch_size + margin(patch_size, shrink), int(largest))
    return Cut(patch_size, augment, shrink, extremes, reach)


def margin(patch_size: int, shrink: float) -> int:
    """Returns how far a square may reach past the crop in its corner."""
    return int((SHRUNK_AT_MOST - 1) * patch_size) if shrink else 0


def _stretch(crop: Crop, drawn: _Drawn) -> Crop:
    """Returns a crop of which little more than black and white is left, or the crop."""
    pixels = crop.astype(jnp.float32)
    middle = pixels[drawn.middle[0], drawn.middle[1]]
    stretched = jnp.clip((pixels - middle) * drawn.factor + 127.5, 0, 255)
    return jnp.where(drawn.stretched, stretched.astype(jnp.uint8), crop)
