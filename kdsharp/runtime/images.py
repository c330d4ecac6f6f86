"""Conversion between Pillow images and arrays that can be sharpened."""

import numpy as np
from jaxtyping import Shaped
from PIL import Image

from kdsharp.errors import UserError

Pixels = Shaped[np.ndarray, "h w *c"]
"""uint8, uint16 or float; grey has no third axis or one of 1 or 2, colour of 3 or 4."""

# Modes that are converted to another mode, which is also that of the result.
_CONVERTED = {"La": "LA", "RGBX": "RGB", "RGBa": "RGBA", "YCbCr": "RGB"}
_KEPT = ("L", "LA", "RGB", "RGBA")
_SIXTEEN = ("I;16", "I;16L", "I;16B", "I;16N")


def to_pixels(image: Image.Image) -> Pixels:
    """Converts an image to an array; resolves palettes and transparent colours."""
    mode = image.mode
    hidden = image.info.get("transparency")
    if mode in _SIXTEEN:
        return _with_alpha(np.asarray(image).astype(np.uint16), hidden)
    if mode == "1":
        return _with_alpha(np.asarray(image.convert("L")), hidden)
    if mode in ("I", "F"):
        return _wide(np.asarray(image), mode)
    if mode not in _KEPT:
        mode = _CONVERTED.get(mode) or _of_palette(image)
    elif "transparency" in image.info:  # One grey level or colour is transparent.
        mode = {"L": "LA", "RGB": "RGBA"}.get(mode, mode)
    return np.asarray(image if mode == image.mode else image.convert(mode))


def to_image(pixels: Pixels) -> Image.Image:
    """Converts uint8, uint16 or float pixels to an image of a matching mode."""
    if pixels.dtype == np.float64:
        pixels = pixels.astype(np.float32)
    return Image.fromarray(pixels)


def _with_alpha(grey: np.ndarray, hidden: int | None) -> np.ndarray:
    """Adds an alpha channel if one grey level is marked as transparent."""
    if not isinstance(hidden, int):
        return grey
    alpha = np.where(grey == hidden, 0, np.iinfo(grey.dtype).max).astype(grey.dtype)
    return np.dstack([grey, alpha])


def _of_palette(image: Image.Image) -> str:
    if image.mode not in ("P", "PA"):
        why = " (for print)" if image.mode == "CMYK" else ""
        raise UserError(
            f"a picture of mode {image.mode}{why} is not supported: convert it to RGB"
        )
    return "RGBA" if image.has_transparency_data else "RGB"


def _wide(values: np.ndarray, mode: str) -> np.ndarray:
    if mode == "F":
        return values
    if values.min(initial=0) < 0 or values.max(initial=0) > 65535:
        raise UserError(
            "a picture of 32-bit integers is not supported: give 16 bits or fewer"
        )
    return values.astype(np.uint16)
