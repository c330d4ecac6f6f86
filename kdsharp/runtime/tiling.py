"""Splits pictures into tiles that are restored one by one and join without seams.

Tiles overlap by the network's receptive field, are aligned to its grid, and share the
border of the picture wherever they come near it, so that the result is the same as for
the whole picture. All tiles of a large picture have the same shape, so that the network
is compiled once.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Shaped

Place = tuple[slice, slice]

_WORKERS = 2

# Memory budget of a tile. Larger tiles are no faster on a CPU.
_BYTES = 320 << 20
_SIDES = (1024, 768, 512, 384, 256)


@dataclasses.dataclass(frozen=True)
class Tile:
    """The region of a picture to read, and the region of it that is restored.

    `shape` is the size of the region read, padded by mirroring below and right to the
    network's grid. `inner` locates `keep` within `read`.
    """

    read: Place
    keep: Place
    shape: tuple[int, int]

    @property
    def inner(self) -> Place:
        rows, columns = (
            slice(keep.start - read.start, keep.stop - read.start)
            for read, keep in zip(self.read, self.keep, strict=True)
        )
        return rows, columns


def best_side(bytes_per_pixel: int) -> int:
    """The largest tile side that fits into the memory budget, or the smallest one."""
    fitting = (side for side in _SIDES if side**2 * bytes_per_pixel <= _BYTES)
    return next(fitting, _SIDES[-1])


def split(
    height: int, width: int, *, side: int, radius: int, multiple: int
) -> list[Tile]:
    """Splits a picture into tiles that cover it exactly once, row by row.

    Tiles are `side` by `side` pixels, or larger if `radius` requires it.
    """
    tiles = []
    columns = list(_spans(width, side, radius, multiple))
    for top, middle, high in _spans(height, side, radius, multiple):
        for left, center, wide in columns:
            tiles.append(Tile((top, left), (middle, center), (high, wide)))
    return tiles


def pad_to(
    pixels: Shaped[np.ndarray, "h w *c"], shape: tuple[int, int]
) -> Shaped[np.ndarray, "H W *c"]:
    """Pads pixels below and right to `shape` by mirroring."""
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
    progress: Callable[[float], object] = lambda fraction: None,
) -> Shaped[np.ndarray, "h w *c"]:
    """Restores a picture tile by tile with `restore_tile`.

    `progress` is called with the completed fraction.
    """
    restored = np.empty_like(picture)

    def work(tile: Tile) -> None:
        restored[tile.keep] = restore_tile(picture[tile.read], tile)[tile.inner]

    if len(tiles) == 1:
        work(tiles[0])
        progress(1.0)
        return restored
    # While the network runs on one tile, NumPy prepares the next.
    with ThreadPoolExecutor(_WORKERS) as pool:
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
    progress: Callable[[float], object] = lambda fraction: None,
) -> Iterator[Shaped[np.ndarray, "rows w c"]]:
    """Yields the picture that `restore` returns in bands of rows, from the top down.

    `picture` is indexed by slices of rows, of which none begins above an earlier one.
    """
    done = 0
    with ThreadPoolExecutor(_WORKERS) as pool:
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


def _spans(
    size: int, side: int, radius: int, multiple: int
) -> Iterator[tuple[slice, slice, int]]:
    """Yields the spans to read and to keep along an axis, and the padded length."""
    whole, overlap = _round_up(size, multiple), _round_up(radius, multiple)
    # At least half of a tile is not overlap.
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
