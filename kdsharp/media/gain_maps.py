"""Gain maps: the small second picture by which a phone's JPEG is shown in HDR.

It stands behind the first picture, found by an index (CIPA DC-007, Multi-Picture
Format). Here it is taken out of a file and put behind a picture that was changed.
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
_QUALITY = 95


def find(content: bytes) -> bytes:
    """Returns the file of the gain map that a JPEG has, or nothing."""
    for name, at, body in jpeg.segments(content):
        if name == jpeg.APP2 and body.startswith(b"MPF\0"):
            index = tags.parse(body[4:]).get(_INDEX)
            # Offsets count from the byte order of the index.
            return _indexed(content, index, at + 8, body[4:6]) if index else b""
    return b""


def turned(gain_map: bytes, orientation: int) -> bytes:
    """Returns the gain map of a picture that was turned upright."""
    if orientation == 1 or not gain_map:
        return gain_map
    with Image.open(io.BytesIO(gain_map)) as image:
        image.load()
        # EXIF would ask to turn it again; the rest says how to use it.
        told = b"".join(
            jpeg.segment(name, body)
            for name, _, body in jpeg.segments(gain_map)
            if name in (jpeg.APP1, jpeg.APP2)
            and not body.startswith((b"Exif\0", b"MPF\0"))
        )
        image.getexif()[0x0112] = orientation
        upright = ImageOps.exif_transpose(image)
    file = io.BytesIO()
    upright.info.clear()
    upright.save(file, "JPEG", quality=_QUALITY, extra=told)
    return file.getvalue()


def with_length(xmp: bytes, before: int, after: int) -> bytes:
    """Returns XMP in which the gain map is as long as it became."""

    def change(found: re.Match) -> bytes:
        is_it = int(found[2]) == before
        return found[1] + str(after).encode() if is_it else found[0]

    return _LENGTH.sub(change, xmp)


def append(file: bytes, gain_map: bytes) -> bytes:
    """Returns a JPEG with the gain map behind it, and an index to find it by."""
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
    """Returns the first picture of the index that is a gain map."""
    sign = "<" if order == b"II" else ">"
    for at in range(16, len(index.content) - 15, 16):
        size, offset = struct.unpack_from(sign + "LL", index.content, at + 4)
        found = content[base + offset : base + offset + size]
        if found.startswith(b"\xff\xd8") and any(mark in found for mark in _MARKS):
            return found
    return b""
