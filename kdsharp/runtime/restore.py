"""A trained model as a function from picture to picture."""

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float, Shaped
from PIL import Image

from kdsharp.errors import UserError
from kdsharp.export import gains as context
from kdsharp.runtime import backends, images, tiling, transparency
from kdsharp.runtime.options import (
    DEFAULT,
    RestoreOptions,
    check_strength,
    check_unsharp,
)
from kdsharp.weights import store

# Of the mask that `unsharp` lays over the result, in pixels: its Gaussian's deviation,
# and how far that is followed.
MASK_SIGMA = 1.0
_MASK_RADIUS = 4

# ITU-R BT.601, as `core.color` has it.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)

# How far float pixels may overshoot and still be taken for pixels from 0 to 1.
_OVERSHOOT = 0.5


@dataclasses.dataclass(frozen=True)
class Sharpener:
    """A function from a blurred picture to a sharp one of the same kind and size.

    It takes arrays, uint8, uint16 or float from 0 to 1, of height and width and no
    channels or 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGB, alpha), and Pillow's
    images. A network of luma lets chroma pass; alpha always does.

    Attributes:
      name: what the weights were loaded by.
      network: the network on its backend, for pixels in [0, 1].
      card: what is known of the weights: architecture, training data, scores.
    """

    name: str
    network: backends.Network
    card: dict

    def __call__(
        self,
        picture: Shaped[np.ndarray, "h w *c"] | Image.Image,
        *,
        strength: float = 1.0,
        unsharp: float = 0.0,
        progress: Callable[[float], None] = lambda fraction: None,
    ) -> Shaped[np.ndarray, "h w *c"] | Image.Image:
        """Returns `picture + strength * residual`, then an unsharp mask over it.

        Args:
          picture: an array, or a Pillow image; it is not changed.
          strength: from 0, which returns the very pixels, to 1.5; 1 is as trained.
          unsharp: amount of an unsharp mask of radius 1; 0 is none.
          progress: called with the part that is done, from 0 to 1.

        Returns:
          A picture of the same type, kind and size.

        Raises:
          UserError: the picture or an amount is out of range; a sentence says how.
        """
        check_strength(strength)
        check_unsharp(unsharp)
        if isinstance(picture, Image.Image):
            pixels = images.to_pixels(picture)
            sharp = images.to_image(
                self(pixels, strength=strength, unsharp=unsharp, progress=progress)
            )
            sharp.info = {k: v for k, v in picture.info.items() if k != "transparency"}
            return sharp
        pixels = np.asarray(picture)
        _check(pixels)
        if not strength and not unsharp:
            progress(1.0)
            return pixels.copy()
        if pixels.ndim == 2:
            return self(
                pixels[..., None], strength=strength, unsharp=unsharp, progress=progress
            )[..., 0]
        wish, tiles = self._cut(pixels, strength, unsharp)
        return tiling.restore(pixels, tiles, wish.grant, progress)

    def bands(
        self,
        rows: Shaped[np.ndarray, "h w c"],
        *,
        strength: float = 1.0,
        unsharp: float = 0.0,
        progress: Callable[[float], None] = lambda fraction: None,
    ) -> Iterator[Shaped[np.ndarray, "n w c"]]:
        """Yields the restored picture in bands of rows, from the top down.

        `rows` has no alpha and need not be an array: it is indexed by slices of rows,
        from the top down, once or twice.
        """
        check_strength(strength)
        check_unsharp(unsharp)
        wish, tiles = self._cut(rows, strength, unsharp)
        return tiling.restore_rows(rows, tiles, wish.grant, progress)

    def _cut(self, pixels, strength: float, unsharp: float):
        wish = _Wish(self.network, strength, unsharp, pixels)
        if strength and self.network.context is not None:
            wish = dataclasses.replace(wish, gains=wish.look())
        tiles = tiling.cut(
            *pixels.shape[:2],
            side=self.network.side,
            radius=wish.reach,
            multiple=self.network.multiple,
        )
        return wish, tiles


def load(
    name: str = "",
    *,
    backend: str = "auto",
    dtype: str = "float32",
    threads: int = 0,
) -> Sharpener:
    """Loads trained weights.

    Args:
      name: weights that ship (`kdsharp models` lists them), a `.safetensors` file or
        the folder of a finished run; empty is the default for photographs.
      backend: openvino, onnxruntime or jax; `auto` is the fastest that is installed.
      dtype: what the network computes in: float32, bfloat16 or int8.
      threads: cores to use; 0 is every core.

    Returns:
      What sharpens pictures by them.

    Raises:
      UserError: the weights or the backend cannot be used; a sentence says why.
    """
    return create(
        RestoreOptions(model=name, backend=backend, dtype=dtype, threads=threads)
    )


def create(options: RestoreOptions) -> Sharpener:
    """Returns what sharpens pictures by the model and on the backend of the options."""
    name = options.model or DEFAULT
    weights = store.load(name)
    network = backends.create(
        weights,
        backend=options.backend,
        dtype=options.dtype,
        threads=options.threads,
    )
    return Sharpener(name, network, weights.card)


@dataclasses.dataclass(frozen=True)
class _Wish:
    """What is asked of the tiles of one picture `[h, w, c]`."""

    network: backends.Network
    strength: float
    unsharp: float
    picture: np.ndarray
    gains: np.ndarray | None = None

    @property
    def colours(self) -> int:
        """How many of the picture's channels are not alpha."""
        return 3 if self.picture.shape[-1] >= 3 else 1

    @property
    def has_alpha(self) -> bool:
        return self.picture.shape[-1] > self.colours

    @property
    def radius(self) -> int:
        """How far the residual depends on colours."""
        radius = self.network.radius if self.strength else 0
        return radius + (_MASK_RADIUS if self.unsharp else 0)

    @property
    def reach(self) -> int:
        """How far a restored pixel depends on others."""
        hidden = transparency.reach(self.radius) if self.has_alpha else 0
        return self.radius + hidden

    def look(self) -> Float[np.ndarray, "1 filters"]:
        """Returns the gains for the whole picture; what alpha hides does not count."""
        white = _white(self.picture.dtype)
        colours, visible = self.picture, None
        if self.has_alpha:
            colours = self.picture[..., : self.colours]
            visible = self.picture[..., self.colours] > 0
        found = context.gains(
            self.network.context,
            colours,
            luma=lambda rows: _as_seen(rows, 1, white)[..., 0],
            visible=visible,
        )
        return found[None]

    def grant(self, pixels: np.ndarray, tile: tiling.Tile) -> np.ndarray:
        """Returns the pixels of a tile sharpened."""
        if not self.has_alpha:
            return self._sharpen(pixels, tile)
        alpha = pixels[..., self.colours]
        visible = alpha > 0
        if not visible.any():
            return pixels
        colours = pixels[..., : self.colours]
        seen = colours
        if not visible.all():
            seen = transparency.cover(colours, visible, self.radius)
        sharp = self._sharpen(seen, tile)
        sharp = np.where(visible[..., None], sharp, colours)
        return np.concatenate([sharp, alpha[..., None]], axis=-1)

    def _sharpen(self, pixels: np.ndarray, tile: tiling.Tile) -> np.ndarray:
        white = _white(pixels.dtype)
        seen = _as_seen(pixels, self.network.channels, white)
        residual = np.zeros_like(seen)
        if self.strength:
            blurred = tiling.fill(seen, tile.shape)[None]
            restored = self.network(blurred, self.gains)
            restored = restored[0, : seen.shape[0], : seen.shape[1]]
            residual = np.float32(self.strength) * (restored - seen)
        if self.unsharp:
            sharp = seen + residual
            residual += np.float32(self.unsharp) * (sharp - _blur(sharp))
        if residual.shape[-1] > pixels.shape[-1]:
            residual = residual @ _LUMA[:, None]
        # A residual of luma, added to each of red, green and blue, is all luma.
        if not np.issubdtype(pixels.dtype, np.integer):
            return np.clip(pixels + residual, 0, 1).astype(pixels.dtype)
        sharp = pixels + residual * np.float32(white)
        np.rint(np.clip(sharp, 0, white, out=sharp), out=sharp)
        return sharp.astype(pixels.dtype)


def _as_seen(
    pixels: Shaped[np.ndarray, "h w c"], channels: int, white: int
) -> Float[np.ndarray, "h w channels"]:
    """Returns float32 luma or RGB."""
    x = pixels.astype(np.float32)
    x *= np.float32(1 / white)
    if x.shape[-1] == channels:
        return x
    if channels == 1:
        return x @ _LUMA[:, None]
    return np.repeat(x, channels, axis=-1)


def _blur(x: Float[np.ndarray, "h w c"]) -> Float[np.ndarray, "h w c"]:
    from scipy import ndimage

    return ndimage.gaussian_filter(
        x, MASK_SIGMA, mode="reflect", radius=_MASK_RADIUS, axes=(0, 1)
    )


def _white(dtype: np.dtype) -> int:
    return np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1


def _check(pixels: np.ndarray) -> None:
    """Refuses what is no picture."""
    if pixels.ndim not in (2, 3) or (
        pixels.ndim == 3 and not 1 <= pixels.shape[2] <= 4
    ):
        raise UserError(
            f"an array of shape {pixels.shape} is no picture: give height and width, "
            "and 1 to 4 channels last"
        )
    if not pixels.size:
        raise UserError(f"a picture of shape {pixels.shape} has no pixels")
    if pixels.dtype in (np.uint8, np.uint16):
        return
    if not np.issubdtype(pixels.dtype, np.floating):
        raise UserError(
            f"pixels of {pixels.dtype} are not sharpened: give uint8, uint16 or float"
        )
    least, most = pixels.min(), pixels.max()
    # Neither holds of NaN.
    if not (least >= -_OVERSHOOT and most <= 1 + _OVERSHOOT):
        raise UserError(
            f"float pixels run from 0 to 1; these run from {least:g} to {most:g}"
        )
