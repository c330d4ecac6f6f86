"""The source of picture files, which reports and skips damaged ones."""

import collections
import logging
import os
import pathlib
import threading
from collections.abc import Iterable
from typing import Any

import numpy as np
from tqdm import tqdm

from kdsharp.data import decoding
from kdsharp.errors import UserError

logger = logging.getLogger(__name__)

DEFAULT_CACHE_BYTES = 3 << 28
# Additional cache for the most recently used pictures.
_RECENT_BYTES = 1 << 28
# How many of the pictures that are too small are logged by name.
_MAX_LOGGED = 10

Pixels = np.ndarray | decoding.Decoded


class PictureFiles:
    """Source of the pictures `names` below the folder `root`, decoded on access.

    Files with unreadable headers are left out from the start. A file found damaged
    later keeps its index, which then gives the next intact picture, so that an index
    always gives the same picture.

    Subclasses for other storage than one file per picture override `_size`, `_read` and
    `_record`.
    """

    _kind = "picture files"
    # Ends messages about unusable files.
    _advice = "give a folder of photographs"
    _pictures_per_record = 1

    def __init__(
        self,
        root: str | os.PathLike[str],
        names: Iterable[str],
        *,
        cache_bytes: int = DEFAULT_CACHE_BYTES,
    ):
        self.skipped: list[str] = []
        self.smallest: tuple[str, int, int] | None = None
        self._bytes = 0
        self._root = pathlib.Path(root)
        self._names: list[str] = []
        self._shapes: list[tuple[int, int]] = []
        self._cache_bytes = cache_bytes
        self._damaged: set[int] = set()
        self._reset_cache()
        names = list(names)
        for name in tqdm(
            names, desc="Reading picture headers", delay=1, leave=False, unit="file"
        ):
            self._add_if_readable(name)
        if not self._names:
            raise UserError(
                f"none of the {len(names)} {self._kind} in {self._root} can be read "
                f"({', '.join(self.skipped[:3])}): {self._advice}"
            )

    def drop_smaller(self, side: int) -> None:
        """Leaves out pictures with a side below `side`; call it before reading any."""
        small = {
            name: size
            for name, size in zip(self._names, self._shapes, strict=True)
            if 0 < min(size) < side
        }
        if not small:
            return
        if len(small) == len(self._names):
            raise UserError(
                f"none of the {len(small):,} {self._kind} in {self._root} has {side} "
                f"pixels in height and width: use a patch of at most "
                f"{max(map(min, small.values()))}, or larger pictures"
            )
        for name, (height, width) in list(small.items())[:_MAX_LOGGED]:
            logger.warning(
                "skipping %s: %dx%d is smaller than a patch of %d pixels",
                *(self._root / name, width, height, side),
            )
        if len(small) > _MAX_LOGGED:
            logger.warning(
                "skipping %d more pictures that are too small", len(small) - _MAX_LOGGED
            )
        self.skipped += small
        kept = [
            (name, size)
            for name, size in zip(self._names, self._shapes, strict=True)
            if name not in small
        ]
        self._names, self._shapes, self._bytes, self.smallest = [], [], 0, None
        for name, size in kept:
            self._add(name, size)

    def __len__(self) -> int:
        return len(self._names)

    @property
    def window(self) -> int:
        """How many pictures the cache of recent pictures holds, on average."""
        each = self._bytes * self._pictures_per_record / len(self._names)
        return max(1, int(_RECENT_BYTES // each)) if each else 1

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Reads the picture at `index`, or the next intact one, as a record."""
        record = self.lazy_record(index)
        return record | {n: np.asarray(record[n]) for n in record.keys() - {"key"}}

    def lazy_record(self, index: int) -> dict[str, Any]:
        """Like `[]`, but pixels may be `Decoded`, which converts only slices."""
        count = len(self._names)
        if not -count <= index < count:
            raise IndexError(index)
        for step in range(count):
            candidate = (index + step) % count
            if candidate not in self._damaged:
                try:
                    pixels = self._pixels(candidate)
                except decoding.BadPictureError as error:
                    self._mark_damaged(candidate, error)
                else:
                    return {"key": self._names[candidate]} | self._record(pixels)
        raise UserError(
            f"none of the {count} {self._kind} in {self._root} can be decoded: "
            f"{self._advice}"
        )

    def __getstate__(self) -> dict[str, Any]:
        # Locks and cached pixels are not sent to worker processes.
        state = dict(self.__dict__)
        for name in ("_lock", "_memory", "_free_bytes", "_recent"):
            del state[name]
        return state

    def __setstate__(self, state: dict[str, Any]):
        self.__dict__.update(state)
        self._reset_cache()

    def _size(self, name: str) -> tuple[int, int]:
        """Height and width, without decoding the picture."""
        return decoding.size(self._root / name)

    def _read(self, name: str) -> Pixels:
        """Decodes a record into the form that is cached."""
        return decoding.decode(self._root / name)

    def _record(self, pixels: Pixels) -> dict[str, Pixels]:
        """Converts cached pixels to the fields of a record."""
        return {"sharp": pixels}

    def _reset_cache(self):
        self._lock = threading.Lock()
        self._memory: dict[int, np.ndarray] = {}
        self._free_bytes = self._cache_bytes
        self._recent: collections.OrderedDict[int, Pixels] = collections.OrderedDict()

    def _add_if_readable(self, name: str):
        try:
            size = self._size(name)
        except decoding.BadPictureError as error:
            self._warn(name, error)
            return
        self._add(name, size)

    def _add(self, name: str, size: tuple[int, int]):
        height, width = size
        self._names.append(name)
        self._shapes.append(size)
        self._bytes += 3 * height * width
        smallest = self.smallest
        if smallest is None or min(height, width) < min(smallest[1:]):
            self.smallest = (name, height, width)

    def _pixels(self, index: int) -> Pixels:
        pixels = self._memory.get(index)
        if pixels is not None:
            return pixels
        with self._lock:
            if index in self._recent:
                self._recent.move_to_end(index)
                return self._recent[index]
        pixels = self._read(self._names[index])
        with self._lock:
            # An epoch visits every picture in turn, so evicting the oldest would evict
            # what is needed next: the main cache keeps the first pictures.
            if index not in self._memory and pixels.nbytes <= self._free_bytes:
                pixels = self._memory[index] = np.asarray(pixels)
                self._free_bytes -= pixels.nbytes
            elif index not in self._memory:
                self._recent[index] = pixels
                while len(self._recent) > self.window:
                    self._recent.popitem(last=False)
        return pixels

    def _mark_damaged(self, index: int, error: Exception):
        with self._lock:
            first_time = index not in self._damaged
            self._damaged.add(index)
        if first_time:
            self._warn(self._names[index], error)

    def _warn(self, name: str, error: Exception):
        self.skipped.append(name)
        logger.warning("skipping %s: %s", self._root / name, error)
