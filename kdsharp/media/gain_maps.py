"""Gain maps: the second, small picture with which phones store HDR in a JPEG.

It follows the first picture and is located by an index (CIPA DC-007, Multi-Picture
Format). This module extracts it and appends it to the changed picture.
"""

import io
import re
import struct

from PIL import Image, ImageOps

from kdsharp.media import jpeg, tags

_MARKS = (b"ns.adobe.com/hdr-gain-map", b"urn:iso:std:iso:ts:21496", b"HDRGainMap")
_VERSION, _NUMBER, _INDEX = 0xB000, 0xB001, 0xB002
_PRIMARY = 0x030000
_LENGTH = re.compile(rb'(Item:Length(?:="|>))(\d+)')
# An item of the type of ISO 21496-1, and Apple's auxiliary picture.
_HEIF_MARKS = (b"\0\0tmap", b"photo:2020:aux:hdrgainmap")
_QUALITY = 95
# The headers of AVIF and HEIF are within this many bytes.
_LONGEST_HEADER = 1 << 16


def find(content: bytes) -> bytes:
    """Extracts the gain map of a JPEG, as a file; empty if it has none."""
    for name, at, body in jpeg.segments(content):
        if name == jpeg.APP2 and body.startswith(b"MPF\0"):
            index = tags.parse(body[4:]).get(_INDEX)
            # Offsets are relative to the byte order mark of the index.
            return _indexed(content, index, at + 8, body[4:6]) if index else b""
    return b""


def is_in_heif(content: bytes) -> bool:
    """Whether an AVIF or HEIF contains a gain map."""
    head = content[:_LONGEST_HEADER]
    is_heif = head[4:8] == b"ftyp"
    return is_heif and any(mark in head for mark in _HEIF_MARKS)


def rotated(gain_map: bytes, orientation: int) -> bytes:
    """Rotates the gain map of a picture with that EXIF orientation."""
    if orientation == 1 or not gain_map:
        return gain_map
    with Image.open(io.BytesIO(gain_map)) as image:
        image.load()
        # Keeps the metadata of the gain map, without its EXIF orientation.
        kept_segments = b"".join(
            jpeg.segment(name, body)
            for name, _, body in jpeg.segments(gain_map)
            if name in (jpeg.APP1, jpeg.APP2)
            and not body.startswith((b"Exif\0", b"MPF\0"))
        )
        image.getexif()[0x0112] = orientation
        upright = ImageOps.exif_transpose(image)
    file = io.BytesIO()
    upright.info.clear()
    upright.save(file, "JPEG", quality=_QUALITY, extra=kept_segments)
    return file.getvalue()


def with_map_length(xmp: bytes, before: int, after: int) -> bytes:
    """Updates the length of the gain map that XMP states."""

    def change(found: re.Match) -> bytes:
        is_it = int(found[2]) == before
        return found[1] + str(after).encode() if is_it else found[0]

    return _LENGTH.sub(change, xmp)


def append(file: bytes, gain_map: bytes) -> bytes:
    """Appends a gain map to a JPEG, with the index that locates it."""
    at = 2
    for name, start, body in jpeg.segments(file):
        if not jpeg.APP0 <= name <= jpeg.APP15:
            break
        at = start + 4 + len(body)
    index = _index(0, 0, 0)
    length = len(file) + 4 + len(index)
    index = _index(length, len(gain_map), length - (at + 8))
    found = jpeg.segment(jpeg.APP2, index)
    return b"".join([file[:at], found, file[at:], gain_map])


def _index(first: int, second: int, offset: int) -> bytes:
    entries = struct.pack("<LLLHH", _PRIMARY, first, 0, 0, 0)
    entries += struct.pack("<LLLHH", 0, second, offset, 0, 0)
    return b"MPF\0" + tags.pack(
        {
            _VERSION: tags.Tag(tags.UNDEFINED, b"0100"),
            _NUMBER: tags.longs(2),
            _INDEX: tags.Tag(tags.UNDEFINED, entries),
        }
    )


def _indexed(content: bytes, index, base: int, order: bytes) -> bytes:
    """The first picture of the index that is a gain map."""
    sign = "<" if order == b"II" else ">"
    for at in range(16, len(index.content) - 15, 16):
        size, offset = struct.unpack_from(sign + "LL", index.content, at + 4)
        found = content[base + offset : base + offset + size]
        if found.startswith(b"\xff\xd8") and any(mark in found for mark in _MARKS):
            return found
    return b""
