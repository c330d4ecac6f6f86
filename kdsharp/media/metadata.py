"""The metadata of picture files: what they hold besides pixels."""

import dataclasses
import logging
import re
import struct
from typing import Any

from PIL import Image, JpegImagePlugin, PngImagePlugin, TiffImagePlugin

from kdsharp.media import gain_maps, jpeg, tags

logger = logging.getLogger(__name__)

_PREFIX = b"Exif\0\0"
ORIENTATION = 0x0112
# The largest value in a JPEG; larger ones are probably mistakes.
_MAX_DPI = 65535
_QUARTER_TURNS = (5, 6, 7, 8)
# What Pillow raises for damaged EXIF.
_DAMAGED = (OSError, SyntaxError, ValueError, LookupError, TypeError, struct.error)

# TIFF tags that describe the picture and not how it is stored.
_DESCRIPTIVE = frozenset(
    {
        *(269, 270, 271, 272, 285, 305, 306, 315, 316, 33432),
        *(34665, 34853, 33723, 34377, 18246, 18249),
        *range(40091, 40096),
    }
)
_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation(?:=[\"']|>))[2-8]")
# Text chunks whose content is written in its proper place instead.
_RAW_XMP = ("Raw profile type xmp", "Raw profile type APP1")
_RAW = (
    *_RAW_XMP,
    *(f"Raw profile type {name}" for name in ("exif", "icc", "icm")),
)
_XMP_TAG, _ICC_TAG, _RESOLUTION = 700, 34675, 282


@dataclasses.dataclass(frozen=True)
class Metadata:
    """Metadata that is kept when the pixels change."""

    format: str
    exif: bytes = b""
    icc: bytes = b""
    # Whether the pixels were converted from CMYK, and are to be converted back.
    cmyk: bool = False
    xmp: bytes = b""
    dpi: tuple[float, float] | None = None
    comment: bytes = b""
    # JPEG only: the segments of extended XMP, and the gain map of HDR.
    extended_xmp: bytes = b""
    gain_map: bytes = b""
    texts: dict[str, str] = dataclasses.field(default_factory=dict)
    # Pillow's options of how the file was encoded, for the same format only.
    encoding: dict[str, Any] = dataclasses.field(default_factory=dict)


def of_image(image: Image.Image, content: bytes) -> Metadata:
    """Reads the metadata of a loaded image, whose file is `content`.

    The image is not rotated yet; the metadata describes it after rotation.
    """
    info = image.info
    rotated = orientation(image) in _QUARTER_TURNS
    dpi = info.get("dpi")
    if image.format == "TIFF":
        assert isinstance(image, TiffImagePlugin.TiffImageFile)
        if _RESOLUTION not in image.tag_v2:
            dpi = None  # Pillow reports 1 if there is none.
    if dpi is not None:
        across, down = (float(value) for value in (dpi[::-1] if rotated else dpi))
        dpi = (across, down)
    icc = info.get("icc_profile") or b""
    metadata = Metadata(
        # MPO is a JPEG with further pictures after the first.
        format="JPEG" if image.format == "MPO" else image.format or "",
        exif=_reset_orientation(_exif(image, content)),
        icc=icc,
        xmp=_xmp(image),
        dpi=dpi if dpi and all(0 < value <= _MAX_DPI for value in dpi) else None,
        comment=_bytes(info.get("comment", b"")),
        texts=_texts(image),
        encoding=_encoding(image, content),
    )
    return (
        _with_rest_of_jpeg(metadata, image, content)
        if metadata.format == "JPEG"
        else metadata
    )


def _with_rest_of_jpeg(
    metadata: Metadata, image: Image.Image, content: bytes
) -> Metadata:
    found = gain_maps.find(content)
    gain_map = gain_maps.rotated(found, orientation(image))
    return dataclasses.replace(
        metadata,
        xmp=gain_maps.with_map_length(metadata.xmp, len(found), len(gain_map)),
        extended_xmp=jpeg.extended_xmp(content),
        gain_map=gain_map,
    )


def orientation(image: Image.Image) -> int:
    """The EXIF orientation; 1 (upright) if there is none or EXIF is damaged."""
    try:
        return image.getexif().get(ORIENTATION, 1)
    except _DAMAGED:
        # Pillow does not try again, so that other calls see empty EXIF.
        logger.warning("damaged EXIF is ignored")
        return 1


def is_readable(exif: bytes) -> bool:
    """Whether Pillow can parse this EXIF."""
    try:
        Image.Exif().load(exif)
    except _DAMAGED:
        return False
    return True


def for_tiff(metadata: Metadata) -> tags.Directory:
    """The tags of a TIFF that do not depend on how its pixels are stored."""
    directory = tags.select(tags.parse(metadata.exif), _DESCRIPTIVE.__contains__)
    if metadata.xmp:
        directory[_XMP_TAG] = tags.Tag(tags.BYTE, metadata.xmp)
    if metadata.icc:
        directory[_ICC_TAG] = tags.Tag(tags.UNDEFINED, metadata.icc)
    return directory


def with_prefix(exif: bytes) -> bytes:
    """Prepends the header that Pillow expects before EXIF."""
    return _PREFIX + exif if exif else b""


def png_texts(metadata: Metadata) -> PngImagePlugin.PngInfo:
    """The text chunks of a PNG, XMP included."""
    texts = PngImagePlugin.PngInfo()
    if metadata.xmp:
        words = metadata.xmp.decode("utf-8", "replace")
        texts.add_itxt("XML:com.adobe.xmp", words)
    for name, words in metadata.texts.items():
        texts.add_text(name, words)
    return texts


def _exif(image: Image.Image, content: bytes) -> bytes:
    """The EXIF as a TIFF without pixels, byte for byte if it is stored as such."""
    stored = image.info.get("exif")
    if isinstance(stored, bytes) and stored:
        return stored.removeprefix(_PREFIX)
    found = tags.parse(content)
    if found:
        found = tags.select(found, _DESCRIPTIVE.__contains__)
        return tags.pack(found, bytes(content[:2]))
    exif = image.getexif()
    return exif.tobytes().removeprefix(_PREFIX) if len(exif) else b""


def _reset_orientation(exif: bytes) -> bytes:
    """Resets the orientation in EXIF; nothing else changes.

    A thumbnail is removed, because it is not rotated.
    """
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return exif
    changed = bytearray(exif)
    try:
        (start,) = struct.unpack_from(order + "L", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, _, value = struct.unpack_from(order + "HHLH", exif, entry)
            if (tag, kind) == (ORIENTATION, 3) and value != 1:
                struct.pack_into(order + "H", changed, entry + 8, 1)
                struct.pack_into(order + "L", changed, start + 2 + 12 * count, 0)
    except struct.error:  # Damaged, so nobody can read an orientation either.
        return exif
    return bytes(changed)


def _xmp(image: Image.Image) -> bytes:
    info = image.info
    # Older versions of Pillow and ImageMagick use other names in PNG.
    found = _bytes(info.get("xmp") or info.get("XML:com.adobe.xmp") or b"")
    if not found and image.format == "PNG":
        found = next(filter(None, map(_raw_xmp, _RAW_XMP, [info] * len(_RAW_XMP))), b"")
    return _XMP_ORIENTATION.sub(rb"\g<1>1", found)


def _raw_xmp(name: str, info: dict) -> bytes:
    """Decodes XMP that ImageMagick stores in a PNG as hexadecimal text."""
    # An empty line, the name and the length of the profile, then its bytes.
    try:
        found = bytes.fromhex("".join(str(info.get(name, "")).split("\n")[3:]))
    except ValueError:
        return b""
    found = found.removeprefix(b"http://ns.adobe.com/xap/1.0/\0")
    return found if found.lstrip().startswith(b"<") else b""


def _bytes(text: str | bytes) -> bytes:
    return text.encode("utf-8", "replace") if isinstance(text, str) else bytes(text)


def _texts(image: Image.Image) -> dict[str, str]:
    if image.format != "PNG":
        return {}
    return {
        name: str(words)
        for name, words in getattr(image, "text", {}).items()
        if name != "XML:com.adobe.xmp" and name not in _RAW
    }


def _encoding(image: Image.Image, content: bytes) -> dict[str, Any]:
    """The options that encode the same format in the same way."""
    if image.format in ("JPEG", "MPO"):
        assert isinstance(image, JpegImagePlugin.JpegImageFile)
        return {
            "qtables": image.quantization,
            # Use 4:4:4 where Pillow cannot write the original subsampling.
            "subsampling": max(JpegImagePlugin.get_sampling(image), 0),
            "progressive": bool(image.info.get("progressive")),
        }
    if image.format == "TIFF":
        return {"compression": image.info.get("compression", "raw")}
    if image.format == "WEBP":
        return {"lossless": _is_lossless_webp(content)}
    return {}


def _is_lossless_webp(content: bytes) -> bool:
    at = 12
    while len(head := content[at : at + 8]) == 8:
        name, length = struct.unpack("<4sL", head)
        if name in (b"VP8 ", b"VP8L"):
            return name == b"VP8L"
        if name == b"ANMF":  # A frame: position and duration, then its own chunks.
            at += 24
            continue
        at += 8 + length + length % 2
    return False
