"""CMYK pictures: conversion to sRGB and back through their ICC profile."""

import io

from PIL import Image, ImageCms

from kdsharp.errors import UserError

_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
_HOW = {
    "renderingIntent": ImageCms.Intent.RELATIVE_COLORIMETRIC,
    "flags": ImageCms.Flags.BLACKPOINTCOMPENSATION,
}


def to_rgb(image: Image.Image, icc: bytes) -> Image.Image:
    """Converts CMYK to sRGB."""
    return _convert(image, _profile(icc), _SRGB, "RGB")


def to_cmyk(image: Image.Image, icc: bytes) -> Image.Image:
    """Converts sRGB to CMYK."""
    return _convert(image, _SRGB, _profile(icc), "CMYK")


def is_cmyk(icc: bytes) -> bool:
    """Whether it is the profile of a CMYK colour space."""
    return icc[16:20] == b"CMYK"


def _profile(icc: bytes) -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(io.BytesIO(icc))


def _convert(image: Image.Image, source, target, mode: str) -> Image.Image:
    try:
        made = ImageCms.profileToProfile(image, source, target, outputMode=mode, **_HOW)
    except (ImageCms.PyCMSError, OSError) as error:
        raise UserError(f"its CMYK profile cannot be used ({error})") from error
    assert made is not None  # It is None only for pictures changed in place.
    return made
