"""TIFF tags, which EXIF uses too, with their values as stored."""

import dataclasses
import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np

EXIF, GPS, _INTEROPERABILITY = 34665, 34853, 40965
_NESTED = (EXIF, GPS, _INTEROPERABILITY)
BYTE, TEXT, SHORT, LONG, RATIONAL, UNDEFINED = 1, 2, 3, 4, 5, 7

# For each type: the numbers per value, and the bytes per number.
_WIDTHS = {
    **dict.fromkeys((1, 2, 6, 7), (1, 1)),
    **dict.fromkeys((3, 8), (1, 2)),
    **dict.fromkeys((4, 9, 11, 13), (1, 4)),
    **dict.fromkeys((5, 10), (2, 4)),
    **dict.fromkeys((12, 16, 17, 18), (1, 8)),
}
# Types of BigTIFF (files above 4 GiB) only.
_OF_LARGE_FILES = (16, 17, 18)
_ORDERS = {b"II": "<", b"MM": ">"}
_DEEPEST = 3


@dataclasses.dataclass(frozen=True)
class Tag:
    """The type and values of a tag, in little-endian bytes."""

    kind: int
    content: bytes

    @property
    def count(self) -> int:
        numbers, width = _WIDTHS[self.kind]
        return len(self.content) // (numbers * width)

    def numbers(self) -> tuple[int, ...]:
        """The values as integers; empty for text, fractions and floats."""
        if self.kind not in (1, 3, 4, 13, 16, 18):
            return ()
        width = _WIDTHS[self.kind][1]
        return tuple(map(int, np.frombuffer(self.content, f"<u{width}")))


Directory = dict[int, "Tag | Directory"]


def shorts(*values: int) -> Tag:
    return Tag(SHORT, struct.pack(f"<{len(values)}H", *values))


def longs(*values: int) -> Tag:
    return Tag(LONG, struct.pack(f"<{len(values)}L", *values))


def rational(value: float) -> Tag:
    """Encodes a positive number as a fraction, precise to a millionth if possible."""
    below = 1
    while below < 1_000_000 and value * below != round(value * below):
        below *= 10
    while round(value * below) >= 1 << 32 and below > 1:
        below //= 10
    above = min(round(value * below), (1 << 32) - 1)
    return Tag(RATIONAL, struct.pack("<LL", above, below))


def parse(content: bytes) -> Directory:
    """Parses the first directory of a TIFF and the directories nested in it.

    Damaged entries are skipped.
    """
    order = _ORDERS.get(bytes(content[:2]))
    if order is None or len(content) < 8:
        return {}
    large = struct.unpack_from(order + "H", content, 2) == (43,)
    try:
        if large:
            (start,) = struct.unpack_from(order + "Q", content, 8)
        else:
            (start,) = struct.unpack_from(order + "L", content, 4)
    except struct.error:
        return {}
    return _parse(content, order, large, start, _DEEPEST)


def pack(directory: Directory, order: bytes = b"II") -> bytes:
    """Encodes a directory as a TIFF without pixels; empty for an empty directory."""
    if not directory:
        return b""
    sign = _ORDERS[order]
    body, start = _laid_out(directory, sign, 8)
    return order + struct.pack(sign + "HL", 42, start) + body


def append(file: BinaryIO, directory: Directory) -> None:
    """Appends a directory to a TIFF and makes it the first one."""
    file.seek(0)
    order = _ORDERS[file.read(2)]
    end = file.seek(0, 2)
    body, start = _laid_out(directory, order, end)
    file.write(body)
    file.seek(4)
    file.write(struct.pack(order + "L", start))
    file.seek(0, 2)


def select(directory: Directory, wanted: Callable[[int], bool]) -> Directory:
    """Selects the tags for which `wanted` is true."""
    return {tag: value for tag, value in directory.items() if wanted(tag)}


def _parse(
    content: bytes, order: str, large: bool, start: int, depth: int
) -> Directory:
    found: Directory = {}
    for tag, kind, value in _entries(content, order, large, start):
        entry = Tag(kind, _swapped(value, kind, order))
        if tag not in _NESTED:
            found[tag] = entry
        elif depth > 1 and len(entry.numbers()) == 1:
            (at,) = entry.numbers()
            nested = _parse(content, order, large, at, depth - 1)
            if nested:
                found[tag] = nested
    return found


def _entries(
    content: bytes, order: str, large: bool, start: int
) -> Iterator[tuple[int, int, bytes]]:
    """Yields tag, type and value of each entry that lies within the file."""
    head, step, inline = ("Q", 20, 8) if large else ("H", 12, 4)
    try:
        (number,) = struct.unpack_from(order + head, content, start)
    except struct.error:
        return
    first = start + struct.calcsize(head)
    for at in range(first, min(first + step * number, len(content)), step):
        try:
            tag, kind, count = struct.unpack_from(
                order + ("HHQ" if large else "HHL"), content, at
            )
            place = at + step - inline
            length = count * _WIDTHS[kind][0] * _WIDTHS[kind][1]
            if length > inline:
                (place,) = struct.unpack_from(
                    order + ("Q" if large else "L"), content, place
                )
        except (struct.error, KeyError):
            continue
        value = content[place : place + length]
        if length and len(value) == length:
            yield tag, kind, bytes(value)


def _swapped(value: bytes, kind: int, order: str) -> bytes:
    """Swaps between little-endian and that byte order."""
    width = _WIDTHS[kind][1]
    if order == "<" or width == 1:
        return value
    return np.frombuffer(value, f"u{width}").byteswap().tobytes()


def _laid_out(directory: Directory, order: str, at: int) -> tuple[bytes, int]:
    """Encodes a directory for offset `at`; also returns the offset of its start."""
    parts = bytearray(at % 2)  # Everything starts at an even offset.
    entries = []
    for tag, value in sorted(directory.items(), key=lambda pair: pair[0]):
        if isinstance(value, dict):
            body, start = _laid_out(value, order, at + len(parts))
            parts += body
            value = longs(start)
        if value.kind in _OF_LARGE_FILES:
            continue
        content = _swapped(value.content, value.kind, order)
        if len(content) > 4:
            place = struct.pack(order + "L", at + len(parts))
            parts += content + b"\0" * (len(content) % 2)
        else:
            place = content.ljust(4, b"\0")
        head = struct.pack(order + "HHL", tag, value.kind, value.count)
        entries.append(head + place)
    start = at + len(parts)
    parts += struct.pack(order + "H", len(entries)) + b"".join(entries) + b"\0" * 4
    return bytes(parts), start
