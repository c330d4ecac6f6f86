"""Pairs on disk: a sharp picture and a blurred one under the same name.

A folder on the way to a picture says which of the two it is: sharp/, target/, gt/ or
hq/; blur/, blurred/, blurry/, input/ or lq/; where there is none of these, B/ is sharp
and A/ blurred. The rest of the path, without the suffix, is the name of the pair, so
that both sharp/a/1.png with blur/a/1.jpg and a/sharp/1.png with a/blur/1.jpg are pairs.
"""

import os
import pathlib
from collections.abc import Iterable, Mapping

import numpy as np

from kdsharp.data import decoding, files, folder, splits
from kdsharp.errors import UserError

ROLES = ("sharp", "blurred")

_FOLDERS = {
    "sharp": "sharp",
    "target": "sharp",
    "gt": "sharp",
    "hq": "sharp",
    "blur": "blurred",
    "blurred": "blurred",
    "blurry": "blurred",
    "input": "blurred",
    "lq": "blurred",
}
# Such short names may mean anything, unless nothing else says what is sharp.
_LETTERS = {"a": "blurred", "b": "sharp"}

Pair = Mapping[str, str]
"""The files of a pair by role; one of them may be missing."""


def find_pairs(root: pathlib.Path) -> dict[str, Pair]:
    """Every pair below `root` by name, whole or not, with paths relative to it."""
    names = folder.find_pictures(root)
    for folders in (_FOLDERS, _LETTERS):
        pairs: dict[str, dict[str, str]] = {}
        for name in names:
            parts = pathlib.PurePosixPath(name).parts
            places = [i for i, p in enumerate(parts[:-1]) if p.lower() in folders]
            if places:
                # The folder nearest to the picture knows best.
                at = places[-1]
                stem = pathlib.PurePosixPath(*parts[:at], *parts[at + 1 :])
                pair = pairs.setdefault(stem.with_suffix("").as_posix(), {})
                # Of several files under one name the first in order counts.
                pair.setdefault(folders[parts[at].lower()], name)
        if {role for pair in pairs.values() for role in pair} == set(ROLES):
            return {name: pairs[name] for name in sorted(pairs, key=folder.natural)}
    raise UserError(
        f"the folder {root} holds no pairs: put the sharp pictures in sharp/ and the "
        "blurred ones in blur/, under the same names"
    )


def open_folder(
    root: str | os.PathLike[str],
    split: str,
    scheme: str | None = None,
    *,
    cache_bytes: int = files.DEFAULT_CACHE_BYTES,
) -> "Pairs":
    """The pairs below `root` that are in the split."""
    root = pathlib.Path(root)
    pairs = find_pairs(root)
    tops = {splits.top(name) for name in pairs if "/" in name}
    chosen = splits.choose(
        pairs,
        split,
        own=splits.own_subfolders(tops.__contains__),
        scheme=scheme,
        where=f"The folder {root}",
    )
    return Pairs(root, pairs, chosen, cache_bytes=cache_bytes)


class Pairs(files.Files):
    """Pairs `names`, of whose files `pairs` knows the paths below the folder `root`."""

    _kind = "pairs"
    _wanted = "give pictures of the same names and sizes in sharp/ and blur/"
    _each = 2

    def __init__(
        self,
        root: str | os.PathLike[str],
        pairs: Mapping[str, Pair],
        names: Iterable[str],
        *,
        cache_bytes: int = files.DEFAULT_CACHE_BYTES,
    ):
        names = list(names)
        self._pairs = {name: pairs[name] for name in names}
        super().__init__(root, names, cache_bytes=cache_bytes)

    def _size(self, name: str) -> tuple[int, int]:
        pair = self._pairs[name]
        for role in ROLES:
            if role not in pair:
                (only,) = pair.values()
                raise decoding.BadPictureError(f"{only} has no {role} partner")
        sharp, blurred = (decoding.size(self._root / pair[role]) for role in ROLES)
        check_equal(sharp, blurred)
        return sharp

    def _read(self, name: str) -> np.ndarray:
        pair = self._pairs[name]
        return stack(*(decoding.read(self._root / pair[role]) for role in ROLES))

    def _record(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(ROLES, pixels, strict=True))


def check_equal(sharp: tuple[int, int], blurred: tuple[int, int]) -> None:
    """Refuses a pair whose heights and widths differ."""
    if sharp != blurred:
        raise decoding.BadPictureError(
            f"the sharp picture is {sharp[1]}x{sharp[0]}, the blurred one "
            f"{blurred[1]}x{blurred[0]}"
        )


def stack(sharp: files.Pixels, blurred: files.Pixels) -> np.ndarray:
    """Both pictures of a pair as one read-only array."""
    check_equal(sharp.shape[:2], blurred.shape[:2])
    both = np.stack([sharp, blurred])
    both.setflags(write=False)
    return both
