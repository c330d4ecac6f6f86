"""All pictures of a source side by side on one sheet, to lie in a device's memory.

Arrays are rectangles and pictures differ in size. Cut into equal tiles, which overlap
so that no crop is lost, photographs would take two to four times their memory, and some
places would be cut more often than others. On a sheet each picture lies once and whole.
Pictures of one size leave no gap; photographs of several sizes leave a few percent.
"""

import concurrent.futures
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int, UInt8
from tqdm import tqdm

from kdsharp.base import cores
from kdsharp.data.pipeline import PIXELS, too_large
from kdsharp.data.sources import Source
from kdsharp.errors import UserError

# Pixels across, unless a picture is wider.
_WIDTH = 4096
# Pictures that are looked at to tell how much memory all of them take.
_LOOKED_AT = 64


class Sheets(NamedTuple):
    """The pixels, under the names of a record, and where each picture lies.

    Each row of a sheet holds red, green and blue of each pixel in turn: an array whose
    last axis is as short as three would be padded by some devices. `places` are top,
    left, height and width.
    """

    pixels: dict[str, UInt8[np.ndarray, "rows columns"]]
    places: Int[np.ndarray, "pictures 4"]


def estimate(source: Source) -> int:
    """Returns about how many bytes the pictures take; exactly, of few or equal ones."""
    count = min(_LOOKED_AT, len(source))
    looked_at = [source[len(source) * i // count] for i in range(count)]
    total = sum(record[name].nbytes for record in looked_at for name in _names(record))
    return total * len(source) // count


def load(source: Source, patch_size: int, margin: int = 0) -> Sheets:
    """Returns the sheets of a source, with `margin` empty pixels below and right.

    Picture number `i` of the source is number `i` of the places. Where the file of one
    is damaged, that is the next good one, as in the source.
    """
    with concurrent.futures.ThreadPoolExecutor(cores.count()) as pool:
        records = list(
            tqdm(
                pool.map(source.__getitem__, range(len(source))),
                desc="Loading pictures",
                total=len(source),
                unit="picture",
                delay=1,
                leave=False,
            )
        )
    numbers: dict[str, int] = {}
    for record in records:
        numbers.setdefault(record["key"], len(numbers))
    unique: list[dict[str, Any]] = [{} for _ in numbers]
    for record in records:
        height, width = record["sharp"].shape[:2]
        if min(height, width) < patch_size:
            raise UserError(too_large(patch_size, record["key"], height, width))
        unique[numbers[record["key"]]] = record
    order = [numbers[record["key"]] for record in records]
    del records
    sizes = [record["sharp"].shape[:2] for record in unique]
    places, height, width = lay_out(sizes)
    pixels = {
        name: np.zeros((height + margin, (width + margin) * 3), np.uint8)
        for name in _names(unique[0])
    }
    for index, (top, left, height, width) in enumerate(places):
        for name, sheet in pixels.items():
            picture = unique[index][name]
            if picture.shape[:2] != (height, width):
                raise UserError(
                    f"the pictures of the pair {unique[index]['key']} differ in size"
                )
            rows = sheet[top : top + height, 3 * left : 3 * (left + width)]
            rows[:] = picture.reshape(height, -1)
        unique[index] = {}
    return Sheets(pixels, places[order])


def lay_out(
    sizes: Sequence[tuple[int, int]],
) -> tuple[Int[np.ndarray, "pictures 4"], int, int]:
    """Returns where pictures of those heights and widths lie, and the sheet's size.

    They stand on shelves, the tallest first, so that those of a shelf are about equal.
    """
    widest = max(width for _, width in sizes)
    across = widest * max(1, min(_WIDTH // widest, len(sizes)))
    places = np.zeros((len(sizes), 4), np.int32)
    top = bottom = left = 0
    for index in sorted(range(len(sizes)), key=lambda i: (-sizes[i][0], -sizes[i][1])):
        height, width = sizes[index]
        if left + width > across:
            top, left = bottom, 0
        bottom = max(bottom, top + height)
        places[index] = top, left, height, width
        left += width
    return places, bottom, across


def _names(record: dict[str, Any]) -> list[str]:
    return [name for name in PIXELS if name in record]
