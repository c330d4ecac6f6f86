"""A trained model as a function from picture to picture."""

import dataclasses
import math
from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float, Shaped
from PIL import Image

from kdsharp.errors import UserError
from kdsharp.export import gains as context
from kdsharp.runtime import backends, images, tiling, transparency
from kdsharp.weights import store

# What sharpens where nobody names another: pictures, and the frames of a video or call.
DEFAULT = "rt-l-photo"
DEFAULT_VIDEO = "rt-s-call"

MOST_STRENGTH = 1.5

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

        A strength of 0 returns the very pixels. `unsharp` is the part of what a
        Gaussian of radius 1 takes away that is added. `progress` is called
        with the part that is done, from 0 to 1.
        """
        check_strength(strength)
        check_unsharp(unsharp)
        if isinstance(picture, Image.Image):
            pixels = images.to_pixels(picture)
            sharp = images.to_image(self(pixels, strength=strength, unsharp=unsharp))
            sharp.info = {k: v for k, v in picture.info.items() if k != "transparency"}
            return sharp
        pixels = np.asarray(picture)
        _check(pixels)
        if not strength and not unsharp:
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
        """Yields the sharp picture from above to below.

        `rows` has no alpha and need not be an array: slices of rows are asked for,
        from above to below, perhaps two times.
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
    """Returns what sharpens by these weights: shipped, a file, or a run's folder."""
    name = name or DEFAULT
    weights = store.load(name)
    network = backends.create(weights, backend=backend, dtype=dtype, threads=threads)
    return Sharpener(name, network, weights.card)


def check_strength(strength: float) -> None:
    """Refuses a strength that a residual cannot be multiplied by."""
    if not 0 <= strength <= MOST_STRENGTH:
        raise UserError(
            f"strength {strength:g} is out of range: give 0 (nothing) to "
            f"{MOST_STRENGTH:g}; 1 is as trained"
        )


def check_unsharp(amount: float) -> None:
    """Refuses an unsharp mask that takes sharpness away or has no end."""
    if not 0 <= amount < math.inf:
        raise UserError(f"unsharp {amount:g} is out of range: give 0 (none) or more")


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
