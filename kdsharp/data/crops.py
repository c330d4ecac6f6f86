"""Random crops from an atlas on the device, augmented like those of the pipeline.

Everything here can be jitted. A crop depends on its random key alone, not on its batch
or device.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Key, UInt8

from kdsharp.core.degradations import resampling
from kdsharp.data.atlas import Atlas
from kdsharp.data.pipeline import MAX_SHRINK

# The range of factors by which contrast is stretched.
_STRETCH = (2.0, 32.0)

Crop = UInt8[Array, "height width channels"]


class _CropParameters(NamedTuple):
    """The sampled parameters of a crop."""

    top: Array
    left: Array
    # Side of the square before it is downscaled.
    size: Array
    across: Array
    down: Array
    swap: Array
    stretched: Array
    middle: Array
    factor: Array


@dataclasses.dataclass(frozen=True)
class Cropper:
    """Cuts augmented square crops out of the pictures of an atlas.

    `patch_size`, `augment`, `shrink` and `extremes` are as in `pipeline.batches`;
    `max_size` is the largest square that may be cut before downscaling.
    """

    patch_size: int
    augment: str
    shrink: float
    extremes: float
    max_size: int
    channels: int = 3

    def __call__(
        self, atlas: Atlas, pictures: Int[Array, " b"], keys: Key[Array, " b"]
    ) -> dict[str, UInt8[Array, "b patch patch channels"]]:
        """Cuts one crop per picture, at the same place in both pictures of a pair."""
        alone = len(atlas.pixels) == 1
        drawn = jax.vmap(self._draw)(keys, atlas.places[pictures])
        crops = {}
        for name, pixels in atlas.pixels.items():
            crop = jax.vmap(self._slice, (None, 0))(pixels, drawn)
            if self.max_size != self.patch_size:
                crop = self._downscale(crop, drawn.size)
            crop = jax.vmap(self._flip)(crop, drawn)
            if alone and self.extremes:
                crop = jax.vmap(_stretch)(crop, drawn)
            crops[name] = crop
        return crops

    def _draw(self, key: Key[Array, ""], place: Int[Array, "4"]) -> _CropParameters:
        top, left, height, width = place
        shrink, size, down, across, turn, extreme, middle, factor = jax.random.split(
            key, 8
        )
        side = jnp.int32(self.patch_size)
        if self.max_size != self.patch_size:
            side_limit = jnp.minimum(height, width)
            max_factor = jnp.minimum(MAX_SHRINK, side_limit / self.patch_size)
            larger = self.patch_size * max_factor ** jax.random.uniform(size)
            larger = jnp.clip(larger.astype(jnp.int32), self.patch_size, side_limit)
            shrunk = jax.random.uniform(shrink) < self.shrink
            side = jnp.where(shrunk, larger, side)
        low, high = np.log(_STRETCH)
        turned = jax.random.bernoulli(turn, 0.5, (3,))
        mirrored, flipped, swapped = turned
        return _CropParameters(
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
        self, pixels: UInt8[Array | np.ndarray, "rows columns"], drawn: _CropParameters
    ) -> Crop:
        start = drawn.top, drawn.left * self.channels
        size = self.max_size, self.max_size * self.channels
        square = jax.lax.dynamic_slice(pixels, start, size)
        return square.reshape(self.max_size, self.max_size, self.channels)

    def _downscale(
        self, crops: UInt8[Array, "b max_size max_size 3"], sizes: Int[Array, " b"]
    ) -> UInt8[Array, "b patch patch 3"]:
        """Downscales the top-left squares of these sizes to crops, as Pillow does."""
        planes = resampling.resize_planes(
            crops.transpose(0, 3, 1, 2).astype(jnp.float32) / 255,
            (self.patch_size, self.patch_size),
            "bicubic",
            source=jnp.stack([sizes, sizes], axis=-1),
        )
        return jnp.round(planes * 255).astype(jnp.uint8).transpose(0, 2, 3, 1)

    def _flip(self, crop: Crop, drawn: _CropParameters) -> Crop:
        if self.augment != "none":
            crop = jnp.where(drawn.across, crop[:, ::-1], crop)
        if self.augment == "dihedral":
            crop = jnp.where(drawn.down, crop[::-1], crop)
            crop = jnp.where(drawn.swap, crop.swapaxes(0, 1), crop)
        return crop


def create(
    atlas: Atlas,
    *,
    patch_size: int,
    augment: str,
    shrink: float,
    extremes: float,
    channels: int = 3,
) -> Cropper:
    """Creates the cropper of an atlas padded by `margin(patch_size, shrink)`.

    Pictures have three `channels`, windows of several frames three for each frame.
    """
    max_size = patch_size
    if shrink and len(atlas.pixels) == 1:
        largest = atlas.places[:, 2:].min(axis=1).max()
        max_size = min(patch_size + margin(patch_size, shrink), int(largest))
    return Cropper(patch_size, augment, shrink, extremes, max_size, channels)


def margin(patch_size: int, shrink: float) -> int:
    """The padding of an atlas, so that slices of the largest square stay inside."""
    return int((MAX_SHRINK - 1) * patch_size) if shrink else 0


def _stretch(crop: Crop, drawn: _CropParameters) -> Crop:
    """Stretches the contrast of the crop until most of it clips, if `stretched`."""
    pixels = crop.astype(jnp.float32)
    middle = pixels[drawn.middle[0], drawn.middle[1]]
    stretched = jnp.clip((pixels - middle) * drawn.factor + 127.5, 0, 255)
    return jnp.where(drawn.stretched, stretched.astype(jnp.uint8), crop)
