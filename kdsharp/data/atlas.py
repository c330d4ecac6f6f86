"""An atlas: all pictures of a source packed into one array, for device memory.

Pictures differ in size. Overlapping tiles of equal size would take two to four times
the memory, and sample some places more often than others; in an atlas each picture is
stored once. Pictures of one size leave no gaps; photographs of several sizes waste a
few percent.
"""

import concurrent.futures
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int, UInt8
from tqdm import tqdm

from kdsharp.base import cores
from kdsharp.data.pipeline import PIXELS, patch_too_large
from kdsharp.data.sources import Source
from kdsharp.errors import UserError

# Width in pixels, unless a picture is wider.
_WIDTH = 4096
# Pictures that are read to estimate the memory of all of them.
_SAMPLED = 64


class Atlas(NamedTuple):
    """Packed pixels by name (`sharp`, `blurred`), and the place of each picture.

    Rows interleave the channels, since some devices would pad a last axis of size 3.
    `places` holds top, left, height and width in pixels.
    """

    pixels: dict[str, UInt8[np.ndarray, "rows columns"]]
    places: Int[np.ndarray, "pictures 4"]


def estimate(source: Source) -> int:
    """Estimates the bytes of all pictures; exact for few pictures or equal sizes."""
    count = min(_SAMPLED, len(source))
    sampled = [source[len(source) * i // count] for i in range(count)]
    total = sum(record[name].nbytes for record in sampled for name in _names(record))
    return total * len(source) // count


def load(source: Source, patch_size: int, margin: int = 0) -> Atlas:
    """Loads a source into an atlas, with `margin` empty pixels below and right.

    `places[i]` is the place of `source[i]`, which is the next intact picture if the
    file is damaged.
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
            raise patch_too_large(patch_size, record["key"], height, width)
        unique[numbers[record["key"]]] = record
    order = [numbers[record["key"]] for record in records]
    del records
    sizes = [record["sharp"].shape[:2] for record in unique]
    places, height, width = pack(sizes)
    channels = unique[0]["sharp"].shape[2]
    pixels = {
        name: np.zeros((height + margin, (width + margin) * channels), np.uint8)
        for name in _names(unique[0])
    }
    for index, (top, left, height, width) in enumerate(places):
        for name, sheet in pixels.items():
            picture = unique[index][name]
            if picture.shape[:2] != (height, width):
                raise UserError(
                    f"the pictures of the pair {unique[index]['key']} differ in size"
                )
            columns = slice(channels * left, channels * (left + width))
            sheet[top : top + height, columns] = picture.reshape(height, -1)
        unique[index] = {}
    return Atlas(pixels, places[order])


def pack(
    sizes: Sequence[tuple[int, int]],
) -> tuple[Int[np.ndarray, "pictures 4"], int, int]:
    """Packs pictures of these (height, width) sizes onto shelves, tallest first.

    Returns their places, and the height and width of the atlas.
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
