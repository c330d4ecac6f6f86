"""Decoding of picture files: any format of Pillow, to upright uint8 RGB."""

import os
import pathlib
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageMode, ImageOps

from kdsharp.errors import UserError

# Formats that Pillow can read only with external programs, or that are not photographs.
_EXCLUDED_FORMATS = {"BUFR", "EPS", "FITS", "GRIB", "HDF5", "MPEG", "WMF"}
_ORIENTATION = 0x0112
_QUARTER_TURNS = (5, 6, 7, 8)


class BadPictureError(Exception):
    """A picture file that cannot be decoded; the message says why."""


def has_picture_suffix(name: str) -> bool:
    """Whether the suffix is that of a picture format that Pillow can open."""
    suffix = pathlib.PurePath(name).suffix.lower()
    kind = Image.registered_extensions().get(suffix)
    return kind in Image.OPEN and kind not in _EXCLUDED_FORMATS


def size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Height and width of the upright picture, from the header of the file."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            # Other formats give their orientation only after decoding.
            if image.format in ("JPEG", "MPO"):
                turned = image.getexif().get(_ORIENTATION) in _QUARTER_TURNS
                if turned:
                    width, height = height, width
    except MemoryError:
        raise
    except Exception as error:  # Decoders raise nearly anything on damaged files.
        raise BadPictureError(_reason(error)) from error
    return height, width


def is_grey(path: str | os.PathLike[str]) -> bool:
    """Whether the file has no place for colour, from its head alone."""
    with Image.open(path) as image:
        return ImageMode.getmode(image.mode).basemode == "L"


class Decoded:
    """A decoded Pillow image that converts only the slices asked for to arrays.

    Converting a whole picture takes a quarter of the time of decoding it, which a
    single crop can do without.
    """

    def __init__(self, image: Image.Image):
        self.image = image
        self.shape = (image.height, image.width, 3)
        self.nbytes = image.height * image.width * 3

    def __getitem__(self, place: tuple[slice, slice]) -> np.ndarray:
        rows, columns = place
        corners = (columns.start, rows.start, columns.stop, rows.stop)
        return np.asarray(self.image.crop(corners))

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.asarray(self.image, dtype)


def read(path: str | os.PathLike[str] | BinaryIO) -> np.ndarray:
    """Reads an upright picture as a read-only array, uint8 `[height, width, 3]`."""
    pixels = np.asarray(decode(path))
    pixels.setflags(write=False)
    return pixels


def decode(path: str | os.PathLike[str] | BinaryIO) -> Decoded:
    """Decodes an upright picture fully, without converting it to an array."""
    try:
        with Image.open(path) as image:
            image.load()
            # In place, since a copy takes a tenth of the time of decoding.
            ImageOps.exif_transpose(image, in_place=True)
            return Decoded(to_rgb(image))
    except MemoryError:
        raise
    except Exception as error:  # Decoders raise nearly anything on damaged files.
        raise BadPictureError(_reason(error)) from error


def to_rgb(image: Image.Image) -> Image.Image:
    """Converts an image of any mode to 8-bit RGB; transparency goes onto white."""
    if image.mode.startswith("I"):
        # Pillow's own conversion clips 16 bits to 8 instead of scaling.
        grey = np.clip(np.asarray(image), 0, 65535)
        return _grey_to_rgb(np.round(grey / 257).astype(np.uint8))
    if image.mode == "F":
        # Floating-point pictures are in [0, 1] by convention.
        grey = np.nan_to_num(np.clip(np.asarray(image), 0, 1))
        return _grey_to_rgb(np.round(grey * 255).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _grey_to_rgb(grey: np.ndarray) -> Image.Image:
    return Image.fromarray(grey).convert("RGB")


def check_name(path: pathlib.Path) -> None:
    """Raises an error unless Pillow can write the format of the suffix."""
    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind not in Image.SAVE:
        raise UserError(
            f"{path} is not the name of a picture file: use a suffix such as .png"
        )


def _reason(error: Exception) -> str:
    if isinstance(error, Image.UnidentifiedImageError):
        return "not a picture of a known format"
    return str(error) or type(error).__name__
