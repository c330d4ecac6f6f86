"""What a picture file says beside its pixels, read from one and written to another."""

import dataclasses
import re
import struct
from typing import Any

from PIL import Image, JpegImagePlugin, PngImagePlugin

from kdsharp.media import gain_maps, jpeg, tags

_PREFIX = b"Exif\0\0"
ORIENTATION = 0x0112
# What a JPEG can say; of more, a mistake is likelier than a scanner.
_MOST_DPI = 65535
_QUARTER_TURNS = (5, 6, 7, 8)

# Of a TIFF, the entries that speak of the picture and not of how it is stored.
_DESCRIPTIVE = frozenset(
    {
        *(269, 270, 271, 272, 285, 305, 306, 315, 316, 33432),
        *(34665, 34853, 33723, 34377, 18246, 18249),
        *range(40091, 40096),
    }
)
_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation(?:=[\"']|>))[2-8]")
# Profiles that are written where they belong; others stay in words.
_RAW_XMP = ("Raw profile type xmp", "Raw profile type APP1")
_RAW = (
    *_RAW_XMP,
    *(f"Raw profile type {name}" for name in ("exif", "icc", "icm")),
)
_XMP_TAG, _ICC_TAG, _RESOLUTION = 700, 34675, 282


@dataclasses.dataclass(frozen=True)
class Details:
    """What stays the same when pixels change."""

    format: str
    exif: bytes = b""
    icc: bytes = b""
    # Whether pixels were made of inks by the profile, and are to be again.
    inks: bool = False
    xmp: bytes = b""
    dpi: tuple[float, float] | None = None
    comment: bytes = b""
    # Of JPEG alone: the rest of a long XMP, as segments, and what makes it HDR.
    extended_xmp: bytes = b""
    gain_map: bytes = b""
    texts: dict[str, str] = dataclasses.field(default_factory=dict)
    # How the file was encoded, by Pillow's names: for the same format only.
    encoding: dict[str, Any] = dataclasses.field(default_factory=dict)


def of_image(image: Image.Image, content: bytes) -> Details:
    """Returns the details of a picture, of which `content` is the file.

    It is loaded and not yet turned; they are told of it as it stands upright.
    """
    info = image.info
    turned = image.getexif().get(ORIENTATION) in _QUARTER_TURNS
    dpi = info.get("dpi")
    if image.format == "TIFF" and _RESOLUTION not in image.tag_v2:
        dpi = None  # Pillow says 1 then.
    if dpi is not None:
        dpi = tuple(float(value) for value in (dpi[::-1] if turned else dpi))
    icc = info.get("icc_profile") or b""
    told = Details(
        # A camera's JPEG with a second picture behind the first.
        format="JPEG" if image.format == "MPO" else image.format,
        exif=_upright(_exif(image, content)),
        icc=icc,
        xmp=_xmp(image),
        dpi=dpi if dpi and all(0 < value <= _MOST_DPI for value in dpi) else None,
        comment=_bytes(info.get("comment", b"")),
        texts=_texts(image),
        encoding=_encoding(image, content),
    )
    return _with_rest_of_jpeg(told, image, content) if told.format == "JPEG" else told


def _with_rest_of_jpeg(told: Details, image: Image.Image, content: bytes) -> Details:
    found = gain_maps.find(content)
    gain_map = gain_maps.turned(found, image.getexif().get(ORIENTATION, 1))
    return dataclasses.replace(
        told,
        xmp=gain_maps.with_length(told.xmp, len(found), len(gain_map)),
        extended_xmp=jpeg.extended_xmp(content),
        gain_map=gain_map,
    )


def for_tiff(details: Details) -> tags.Directory:
    """Returns what a TIFF says beside how its pixels are stored."""
    told = tags.select(tags.parse(details.exif), _DESCRIPTIVE.__contains__)
    if details.xmp:
        told[_XMP_TAG] = tags.Tag(tags.BYTE, details.xmp)
    if details.icc:
        told[_ICC_TAG] = tags.Tag(tags.UNDEFINED, details.icc)
    return told


def with_prefix(exif: bytes) -> bytes:
    """Returns EXIF as Pillow takes it."""
    return _PREFIX + exif if exif else b""


def png_texts(details: Details) -> PngImagePlugin.PngInfo:
    """Returns what a PNG says in words, XMP with them."""
    texts = PngImagePlugin.PngInfo()
    if details.xmp:
        words = details.xmp.decode("utf-8", "replace")
        texts.add_itxt("XML:com.adobe.xmp", words)
    for name, words in details.texts.items():
        texts.add_text(name, words)
    return texts


def _exif(image: Image.Image, content: bytes) -> bytes:
    """Returns EXIF as a TIFF without pixels, byte for byte where it is stored so."""
    stored = image.info.get("exif")
    if isinstance(stored, bytes) and stored:
        return stored.removeprefix(_PREFIX)
    found = tags.parse(content)
    if found:
        found = tags.select(found, _DESCRIPTIVE.__contains__)
        return tags.pack(found, bytes(content[:2]))
    exif = image.getexif()
    return exif.tobytes().removeprefix(_PREFIX) if len(exif) else b""


def _upright(exif: bytes) -> bytes:
    """Returns EXIF that no longer asks to turn the picture; nothing else changes.

    A thumbnail in it lies as the picture did, and is let go of.
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
    except struct.error:  # Damaged: then nobody reads an orientation in it.
        return exif
    return bytes(changed)


def _xmp(image: Image.Image) -> bytes:
    info = image.info
    # A PNG's has another name in older Pillows, and others from ImageMagick.
    found = _bytes(info.get("xmp") or info.get("XML:com.adobe.xmp") or b"")
    if not found and image.format == "PNG":
        found = next(filter(None, map(_raw_xmp, _RAW_XMP, [info] * len(_RAW_XMP))), b"")
    return _XMP_ORIENTATION.sub(rb"\g<1>1", found)


def _raw_xmp(name: str, info: dict) -> bytes:
    """Returns the XMP that ImageMagick wrote into a PNG as hexadecimal digits."""
    # A line without words, the profile's name and length, and its bytes.
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
    """Returns what makes the same format encode as it was encoded."""
    if image.format in ("JPEG", "MPO"):
        return {
            "qtables": image.quantization,
            # Where Pillow cannot write the same, colour keeps its resolution.
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
        if name == b"ANMF":  # A frame: its place and time, and then such chunks.
            at += 24
            continue
        at += 8 + length + length % 2
    return False
