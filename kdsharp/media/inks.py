"""Pictures made for print: by their profile to sRGB, and back."""

import io

from PIL import Image, ImageCms

from kdsharp.errors import UserError

_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
_HOW = {
    "renderingIntent": ImageCms.Intent.RELATIVE_COLORIMETRIC,
    "flags": ImageCms.Flags.BLACKPOINTCOMPENSATION,
}


def to_rgb(image: Image.Image, icc: bytes) -> Image.Image:
    """Returns what the inks look like."""
    return _turned(image, _profile(icc), _SRGB, "RGB")


def to_inks(image: Image.Image, icc: bytes) -> Image.Image:
    """Returns the inks that look so."""
    return _turned(image, _SRGB, _profile(icc), "CMYK")


def is_of_inks(icc: bytes) -> bool:
    """Whether that is a profile of cyan, magenta, yellow and black."""
    return icc[16:20] == b"CMYK"


def _profile(icc: bytes) -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(io.BytesIO(icc))


def _turned(image: Image.Image, source, target, mode: str) -> Image.Image:
    try:
        made = ImageCms.profileToProfile(image, source, target, outputMode=mode, **_HOW)
    except (ImageCms.PyCMSError, OSError) as error:
        raise UserError(f"its CMYK profile cannot be used ({error})") from error
    assert made is not None  # It is None only for pictures changed in place.
    return made
