"""A source over picture files: damaged ones are named once and stepped over."""

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
# Of the pictures used last, whether they stay or not.
_RECENT_BYTES = 1 << 28
# How many of the pictures that are too small are named.
_NAMED = 10

Pixels = np.ndarray | decoding.Decoded


class Files:
    """Pictures `names` below the folder `root`, decoded when asked for.

    A file whose head is unreadable is left out from the start. One that turns out to
    be damaged later keeps its index, where the next good picture is served, so that
    the same index always gives the same picture.

    What is kept in other ways than one file a picture overrides `_size`, `_read` and
    `_record`.
    """

    _kind = "picture files"
    _wanted = "give a folder of photographs"
    # Pictures in a record.
    _each = 1

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
        self._bad: set[int] = set()
        self._forget()
        names = list(names)
        for name in tqdm(
            names, desc="Reading picture headers", delay=1, leave=False, unit="file"
        ):
            self._admit(name)
        if not self._names:
            raise UserError(
                f"none of the {len(names)} {self._kind} in {self._root} can be read "
                f"({', '.join(self.skipped[:3])}): {self._wanted}"
            )

    def leave_out_smaller(self, side: int) -> None:
        """Leaves out pictures lower or narrower than that; before the first is read."""
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
        for name, (height, width) in list(small.items())[:_NAMED]:
            logger.warning(
                "skipping %s: %dx%d holds no patch of %d pixels",
                *(self._root / name, width, height, side),
            )
        if len(small) > _NAMED:
            logger.warning("skipping %d more pictures as small", len(small) - _NAMED)
        self.skipped += small
        held = [
            (name, size)
            for name, size in zip(self._names, self._shapes, strict=True)
            if name not in small
        ]
        self._names, self._shapes, self._bytes, self.smallest = [], [], 0, None
        for name, size in held:
            self._add(name, size)

    def __len__(self) -> int:
        return len(self._names)

    @property
    def window(self) -> int:
        """How many pictures, used in turn again and again, are decoded but once."""
        each = self._bytes * self._each / len(self._names)
        return max(1, int(_RECENT_BYTES // each)) if each else 1

    def __getitem__(self, index: int) -> dict[str, Any]:
        """The picture at `index`, or the next good one: its key and its pixels."""
        record = self.glance(index)
        return record | {n: np.asarray(record[n]) for n in record.keys() - {"key"}}

    def glance(self, index: int) -> dict[str, Any]:
        """The same, of which pixels may become arrays only where they are cut."""
        count = len(self._names)
        if not -count <= index < count:
            raise IndexError(index)
        for step in range(count):
            candidate = (index + step) % count
            if candidate not in self._bad:
                try:
                    pixels = self._pixels(candidate)
                except decoding.BadPictureError as error:
                    self._give_up(candidate, error)
                else:
                    return {"key": self._names[candidate]} | self._record(pixels)
        raise UserError(
            f"none of the {count} {self._kind} in {self._root} can be decoded: "
            f"{self._wanted}"
        )

    def __getstate__(self) -> dict[str, Any]:
        # Workers start with an empty memory: locks and pixels stay at home.
        state = dict(self.__dict__)
        for name in ("_lock", "_memory", "_room", "_recent"):
            del state[name]
        return state

    def __setstate__(self, state: dict[str, Any]):
        self.__dict__.update(state)
        self._forget()

    def _size(self, name: str) -> tuple[int, int]:
        """Height and width, without decoding."""
        return decoding.size(self._root / name)

    def _read(self, name: str) -> Pixels:
        """What is worth keeping in memory, decoded."""
        return decoding.decode(self._root / name)

    def _record(self, pixels: Pixels) -> dict[str, Pixels]:
        """What was read, under the names that a record has for it."""
        return {"sharp": pixels}

    def _forget(self):
        self._lock = threading.Lock()
        self._memory: dict[int, np.ndarray] = {}
        self._room = self._cache_bytes
        self._recent: collections.OrderedDict[int, Pixels] = collections.OrderedDict()

    def _admit(self, name: str):
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
            # An epoch visits every picture: throwing out the oldest would lose just
            # what the next epoch needs, so what came first stays.
            if index not in self._memory and pixels.nbytes <= self._room:
                pixels = self._memory[index] = np.asarray(pixels)
                self._room -= pixels.nbytes
            elif index not in self._memory:
                self._recent[index] = pixels
                while len(self._recent) > self.window:
                    self._recent.popitem(last=False)
        return pixels

    def _give_up(self, index: int, error: Exception):
        with self._lock:
            news = index not in self._bad
            self._bad.add(index)
        if news:
            self._warn(self._names[index], error)

    def _warn(self, name: str, error: Exception):
        self.skipped.append(name)
        logger.warning("Skipping %s: %s", self._root / name, error)
