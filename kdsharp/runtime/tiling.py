"""Cuts pictures into pieces that, restored one by one, join without a trace.

Pieces overlap by what a network looks at, lie on its grid, and touch the picture's
border with their own wherever they come near it: there the network sees the same as if
it were given the whole. All pieces of a large picture have the same shape, for which it
is compiled once.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Shaped

Place = tuple[slice, slice]

_AT_ONCE = 2

# What a tile may take while it is restored. Larger ones are no faster on a CPU.
_BYTES = 320 << 20
_SIDES = (1024, 768, 512, 384, 256)


@dataclasses.dataclass(frozen=True)
class Tile:
    """What to read of a picture, and what part of the picture it restores.

    `shape` is what was read plus the mirrored rows and columns below and right that
    fill it up to the network's grid. `inner` finds `keep` in what was read.
    """

    read: Place
    keep: Place
    shape: tuple[int, int]

    @property
    def inner(self) -> Place:
        return tuple(
            slice(keep.start - read.start, keep.stop - read.start)
            for read, keep in zip(self.read, self.keep, strict=True)
        )


def side(bytes_per_pixel: int) -> int:
    """Returns the largest side of a tile that fits into memory, or the least one."""
    fitting = (side for side in _SIDES if side**2 * bytes_per_pixel <= _BYTES)
    return next(fitting, _SIDES[-1])


def cut(
    height: int, width: int, *, side: int, radius: int, multiple: int
) -> list[Tile]:
    """Returns tiles that cover the picture once, row by row.

    They are of `side` by `side` pixels, or more where the radius asks for it.
    """
    tiles = []
    columns = list(_along(width, side, radius, multiple))
    for row in _along(height, side, radius, multiple):
        for column in columns:
            read, keep, shape = zip(row, column, strict=True)
            tiles.append(Tile(read, keep, shape))
    return tiles


def fill(
    pixels: Shaped[np.ndarray, "h w *c"], shape: tuple[int, int]
) -> Shaped[np.ndarray, "H W *c"]:
    """Returns the pixels and, below and right, their mirror image."""
    below, right = (
        want - have for want, have in zip(shape, pixels.shape, strict=False)
    )
    if not below and not right:
        return pixels
    rest = [(0, 0)] * (pixels.ndim - 2)
    return np.pad(pixels, [(0, below), (0, right), *rest], mode="symmetric")


def restore(
    picture: Shaped[np.ndarray, "h w *c"],
    tiles: Sequence[Tile],
    restore_tile: Callable[[np.ndarray, Tile], np.ndarray],
    progress: Callable[[float], None] = lambda fraction: None,
) -> Shaped[np.ndarray, "h w *c"]:
    """Returns the picture, each tile as `restore_tile` makes it of what it reads.

    `progress` is told what part of the picture is done.
    """
    restored = np.empty_like(picture)

    def work(tile: Tile) -> None:
        restored[tile.keep] = restore_tile(picture[tile.read], tile)[tile.inner]

    if len(tiles) == 1:
        work(tiles[0])
        progress(1.0)
        return restored
    # While the network has one tile, NumPy prepares another.
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            for done, _ in enumerate(pool.map(work, tiles), start=1):
                progress(done / len(tiles))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return restored


def restore_rows(
    picture: Shaped[np.ndarray, "h w c"],
    tiles: Sequence[Tile],
    restore_tile: Callable[[np.ndarray, Tile], np.ndarray],
    progress: Callable[[float], None] = lambda fraction: None,
) -> Iterator[Shaped[np.ndarray, "rows w c"]]:
    """Yields the picture that `restore` returns in bands of rows, from the top down.

    `picture` is indexed by slices of rows, of which none begins above an earlier one.
    """
    done = 0
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for _, together in itertools.groupby(tiles, lambda tile: tile.keep[0].start):
            row = list(together)
            read, keep = row[0].read[0], row[0].keep[0]
            seen = picture[read]
            shape = (keep.stop - keep.start, *seen.shape[1:])
            restored = np.empty(shape, seen.dtype)

            def work(tile: Tile, seen=seen, restored=restored) -> None:
                part = restore_tile(seen[:, tile.read[1]], tile)
                restored[:, tile.keep[1]] = part[tile.inner]

            for _ in pool.map(work, row):
                done += 1
                progress(done / len(tiles))
            yield restored


def _along(
    size: int, side: int, radius: int, multiple: int
) -> Iterator[tuple[slice, slice, int]]:
    """Yields what to read, what to keep and how long to make it, along one axis."""
    whole, overlap = _round_up(size, multiple), _round_up(radius, multiple)
    # Half of a tile at least is its own.
    side = max(_round_up(side, multiple), 4 * overlap)
    if whole <= side:
        yield slice(0, size), slice(0, size), whole
        return
    kept = 0
    while kept < size:
        start = min(max(kept - overlap, 0), whole - side)
        stop = start + side
        end = size if stop >= whole else stop - overlap
        yield slice(start, min(stop, size)), slice(kept, end), side
        kept = end


def _round_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple
