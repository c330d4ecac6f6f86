"""JPEG segments that Pillow does not expose."""

import struct
from collections.abc import Iterator

APP0, APP1, APP2, APP15, _SCAN = 0xE0, 0xE1, 0xE2, 0xEF, 0xDA
_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"


def segments(jpeg: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yields marker, offset and body of each segment before the pixels."""
    at = 2
    while jpeg[at : at + 1] == b"\xff" and at + 4 <= len(jpeg):
        name = jpeg[at + 1]
        (length,) = struct.unpack_from(">H", jpeg, at + 2)
        if name == _SCAN or length < 2:
            return
        yield name, at, jpeg[at + 4 : at + 2 + length]
        at += 2 + length


def segment(name: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, name, 2 + len(body)) + body


def extended_xmp(jpeg: bytes) -> bytes:
    """The segments of extended XMP (longer than one segment), unchanged."""
    return b"".join(
        segment(name, body)
        for name, _, body in segments(jpeg)
        if name == APP1 and body.startswith(_EXTENSION)
    )
