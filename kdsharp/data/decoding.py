"""Picture files as arrays: any format Pillow opens, as upright uint8 RGB."""

import os
import pathlib
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageMode, ImageOps

from kdsharp.errors import UserError

# Formats that Pillow names but reads only with another program's help, or whose
# files hold no photograph.
_NO_PHOTOGRAPHS = {"BUFR", "EPS", "FITS", "GRIB", "HDF5", "MPEG", "WMF"}
_ORIENTATION = 0x0112
_QUARTER_TURNS = (5, 6, 7, 8)


class BadPictureError(Exception):
    """Says why a file that should be a picture cannot be read as one."""


def has_picture_suffix(name: str) -> bool:
    """Whether the end of the name promises a picture that Pillow can open."""
    suffix = pathlib.PurePath(name).suffix.lower()
    kind = Image.registered_extensions().get(suffix)
    return kind in Image.OPEN and kind not in _NO_PHOTOGRAPHS


def size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Height and width of the upright picture, from the head of the file alone."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            # Only JPEG tells its orientation without decoding everything.
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
    """A picture that Pillow holds; what is cut out of it becomes an array.

    To make an array of all of it takes a quarter of the time of decoding, which is lost
    on a picture that gives one crop.
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
    """The upright picture, uint8 `[height, width, 3]`; its pixels are read-only."""
    pixels = np.asarray(decode(path))
    pixels.setflags(write=False)
    return pixels


def decode(path: str | os.PathLike[str] | BinaryIO) -> Decoded:
    """The upright picture, whole and checked, not yet an array."""
    try:
        with Image.open(path) as image:
            image.load()
            # In place, since every copy of a picture takes a tenth of its decoding.
            ImageOps.exif_transpose(image, in_place=True)
            return Decoded(to_rgb(image))
    except MemoryError:
        raise
    except Exception as error:  # Decoders raise nearly anything on damaged files.
        raise BadPictureError(_reason(error)) from error


def to_rgb(image: Image.Image) -> Image.Image:
    """Eight-bit RGB of an image of any mode; what is transparent lies on white."""
    if image.mode.startswith("I"):
        # Pillow's own conversion clips sixteen bits to eight instead of scaling.
        grey = np.clip(np.asarray(image), 0, 65535)
        return _grey_to_rgb(np.round(grey / 257).astype(np.uint8))
    if image.mode == "F":
        # Pictures in floating point run from 0 to 1 by convention.
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
    """Refuses what is no name of a picture to write."""
    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind not in Image.SAVE:
        raise UserError(f"{path} is no name of a picture: let it end in .png")


def _reason(error: Exception) -> str:
    if isinstance(error, Image.UnidentifiedImageError):
        return "not a picture that can be identified"
    return str(error) or type(error).__name__
