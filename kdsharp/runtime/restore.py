"""Applies a trained network to pictures."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, overload

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

# The Gaussian of the unsharp mask: standard deviation and radius, in pixels.
MASK_SIGMA = 1.0
_MASK_RADIUS = 4

# ITU-R BT.601, as in `core.color`.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)

# How far float pixels may lie outside of [0, 1] before they are refused.
_OVERSHOOT = 0.5


@dataclasses.dataclass(frozen=True)
class Sharpener:
    """A function from a blurred picture to a sharp one of the same type and size.

    It accepts Pillow images, and arrays of uint8, uint16 or float in [0, 1] of shape
    `[h, w]` or `[h, w, c]`, where c is 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGB,
    alpha). Networks for luma leave chroma unchanged. Alpha is never changed.

    Attributes:
      name: the name that the weights were loaded by.
      network: the network on its backend, for pixels in [0, 1].
      card: the card of the weights: architecture, training data, scores.
    """

    name: str
    network: backends.Network
    card: dict

    @overload
    def __call__(
        self,
        picture: Shaped[np.ndarray, "h w *c"],
        *,
        strength: float = ...,
        unsharp: float = ...,
        progress: Callable[[float], object] = ...,
    ) -> Shaped[np.ndarray, "h w *c"]: ...

    @overload
    def __call__(
        self,
        picture: Image.Image,
        *,
        strength: float = ...,
        unsharp: float = ...,
        progress: Callable[[float], object] = ...,
    ) -> Image.Image: ...

    def __call__(
        self,
        picture: Shaped[np.ndarray, "h w *c"] | Image.Image,
        *,
        strength: float = 1.0,
        unsharp: float = 0.0,
        progress: Callable[[float], object] = lambda fraction: None,
    ) -> Shaped[np.ndarray, "h w *c"] | Image.Image:
        """Restores a picture: `picture + strength * residual`, then an unsharp mask.

        Args:
          picture: an array or a Pillow image; it is not modified.
          strength: from 0, which returns an exact copy, to 1.5; 1 is as trained.
          unsharp: amount of an unsharp mask of radius 1; 0 is none.
          progress: called with the completed fraction, from 0 to 1.

        Returns:
          A picture of the same type, mode and size.

        Raises:
          UserError: the picture or an option is out of range.
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
        check_pixels(pixels)
        if not strength and not unsharp:
            progress(1.0)
            return pixels.copy()
        if pixels.ndim == 2:
            return self(
                pixels[..., None], strength=strength, unsharp=unsharp, progress=progress
            )[..., 0]
        restorer, tiles = self._split(pixels, strength, unsharp)
        return tiling.restore(pixels, tiles, restorer.restore_tile, progress)

    def bands(
        self,
        rows: Any,
        *,
        strength: float = 1.0,
        unsharp: float = 0.0,
        progress: Callable[[float], object] = lambda fraction: None,
    ) -> Iterator[Shaped[np.ndarray, "n w c"]]:
        """Yields the restored picture in bands of rows, from the top down.

        `rows` has no alpha and need not be an array: it is indexed by slices of rows,
        from the top down, once or twice.
        """
        check_strength(strength)
        check_unsharp(unsharp)
        restorer, tiles = self._split(rows, strength, unsharp)
        return tiling.restore_rows(rows, tiles, restorer.restore_tile, progress)

    def _split(self, pixels, strength: float, unsharp: float):
        restorer = _TileRestorer(self.network, strength, unsharp, pixels)
        if strength and self.network.context is not None:
            gains = context_gains(self.network.context, pixels)[None]
            restorer = dataclasses.replace(restorer, gains=gains)
        tiles = tiling.split(
            *pixels.shape[:2],
            side=self.network.side,
            radius=restorer.receptive_radius,
            multiple=self.network.multiple,
        )
        return restorer, tiles


def load(
    name: str = "",
    *,
    backend: str = "auto",
    dtype: str = "float32",
    threads: int = 0,
    device: str = "",
) -> Sharpener:
    """Loads trained weights.

    Args:
      name: an included network (`kdsharp models` lists them), a `.safetensors` file or
        the folder of a finished run; empty is the default for photographs.
      backend: openvino, onnxruntime or jax; `auto` is the fastest that is installed.
      dtype: the element type to compute in: float32, bfloat16 or int8.
      threads: number of threads; 0 is one per core.
      device: cpu, gpu, npu or auto; empty is the backend's default device.

    Returns:
      A function that sharpens pictures.

    Raises:
      UserError: the weights or the backend cannot be used.
    """
    return create(
        RestoreOptions(
            model=name, backend=backend, dtype=dtype, threads=threads, device=device
        )
    )


def create(options: RestoreOptions) -> Sharpener:
    """Creates a Sharpener with the model and backend of the options."""
    name = options.model or DEFAULT
    weights = store.load(name)
    network = backends.create(
        weights,
        backend=options.backend,
        dtype=options.dtype,
        threads=options.threads,
        device=options.device,
    )
    return Sharpener(name, network, weights.card)


@dataclasses.dataclass(frozen=True)
class _TileRestorer:
    """Restores the tiles of one picture `[h, w, c]` with given options."""

    network: backends.Network
    strength: float
    unsharp: float
    picture: np.ndarray
    gains: np.ndarray | None = None

    @property
    def color_channels(self) -> int:
        """The number of channels without alpha."""
        return _color_channels(self.picture)

    @property
    def has_alpha(self) -> bool:
        return self.picture.shape[-1] > self.color_channels

    @property
    def radius(self) -> int:
        """How far away colours can influence the residual of a pixel."""
        radius = self.network.radius if self.strength else 0
        return radius + (_MASK_RADIUS if self.unsharp else 0)

    @property
    def receptive_radius(self) -> int:
        """How far away any pixel can influence a restored pixel."""
        hidden = transparency.fill_radius(self.radius) if self.has_alpha else 0
        return self.radius + hidden

    def restore_tile(self, pixels: np.ndarray, tile: tiling.Tile) -> np.ndarray:
        """Restores the pixels of one tile."""
        if not self.has_alpha:
            return self._sharpen(pixels, tile)
        alpha = pixels[..., self.color_channels]
        visible = alpha > 0
        if not visible.any():
            return pixels
        colours = pixels[..., : self.color_channels]
        seen = colours
        if not visible.all():
            seen = transparency.fill_hidden(colours, visible, self.radius)
        sharp = self._sharpen(seen, tile)
        sharp = np.where(visible[..., None], sharp, colours)
        return np.concatenate([sharp, alpha[..., None]], axis=-1)

    def _sharpen(self, pixels: np.ndarray, tile: tiling.Tile) -> np.ndarray:
        white = _white(pixels.dtype)
        seen = _to_network_input(pixels, self.network.channels, white)
        residual = np.zeros_like(seen)
        if self.strength:
            blurred = tiling.pad_to(seen, tile.shape)[None]
            restored = self.network(blurred, self.gains)
            restored = restored[0, : seen.shape[0], : seen.shape[1]]
            residual = np.float32(self.strength) * (restored - seen)
        if self.unsharp:
            sharp = seen + residual
            residual += np.float32(self.unsharp) * (sharp - _blur(sharp))
        if residual.shape[-1] > pixels.shape[-1]:
            residual = residual @ _LUMA[:, None]
        # Adding a luma residual to red, green and blue alike changes only luma.
        if not np.issubdtype(pixels.dtype, np.integer):
            return np.clip(pixels + residual, 0, 1).astype(pixels.dtype)
        sharp = pixels + residual * np.float32(white)
        np.rint(np.clip(sharp, 0, white, out=sharp), out=sharp)
        return sharp.astype(pixels.dtype)


def context_gains(
    params: dict, pixels: Shaped[np.ndarray, "h w c"]
) -> Float[np.ndarray, "filters"]:
    """Computes the context gains of a picture, ignoring transparent parts."""
    white = _white(pixels.dtype)
    channels = _color_channels(pixels)
    colours, visible = pixels, None
    if pixels.shape[-1] > channels:
        colours, visible = pixels[..., :channels], pixels[..., channels] > 0
    return context.gains(
        params,
        colours,
        luma=lambda rows: _to_network_input(rows, 1, white)[..., 0],
        visible=visible,
    )


def _color_channels(pixels: Shaped[np.ndarray, "h w c"]) -> int:
    return 3 if pixels.shape[-1] >= 3 else 1


def _to_network_input(
    pixels: Shaped[np.ndarray, "h w c"], channels: int, white: int
) -> Float[np.ndarray, "h w channels"]:
    """Converts to float32 luma or RGB in [0, 1]."""
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


def check_pixels(pixels: np.ndarray) -> None:
    """Refuses arrays that are not pictures."""
    if pixels.ndim not in (2, 3) or (
        pixels.ndim == 3 and not 1 <= pixels.shape[2] <= 4
    ):
        raise UserError(
            f"an array of shape {pixels.shape} is not a picture: give height, width "
            "and optionally 1 to 4 channels"
        )
    if not pixels.size:
        raise UserError(f"a picture of shape {pixels.shape} has no pixels")
    if pixels.dtype in (np.uint8, np.uint16):
        return
    if not np.issubdtype(pixels.dtype, np.floating):
        raise UserError(
            f"pixels of {pixels.dtype} are not supported: give uint8, uint16 or float"
        )
    least, most = pixels.min(), pixels.max()
    # NaN fails both comparisons.
    if not (least >= -_OVERSHOOT and most <= 1 + _OVERSHOOT):
        raise UserError(
            f"float pixels must be in [0, 1]; these range from {least:g} to {most:g}"
        )
