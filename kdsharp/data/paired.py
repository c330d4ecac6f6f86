"""Pairs of a sharp and a blurred picture file with the same name.

A folder in the path gives the role: sharp/, target/, gt/ or hq/; blur/, blurred/,
blurry/, input/ or lq/; without any of these, B/ is sharp and A/ is blurred. The rest of
the path without its suffix names the pair, so that sharp/a/1.png with blur/a/1.jpg and
a/sharp/1.png with a/blur/1.jpg are pairs.
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
# Names this short may mean anything: they count only if no other role is found.
_LETTERS = {"a": "blurred", "b": "sharp"}

Pair = Mapping[str, str]
"""The files of a pair by role; either may be missing."""


def find_pairs(root: pathlib.Path) -> dict[str, Pair]:
    """Finds all pairs below `root`, complete or not, as relative paths by name."""
    names = folder.find_pictures(root)
    for folders in (_FOLDERS, _LETTERS):
        pairs: dict[str, dict[str, str]] = {}
        for name in names:
            parts = pathlib.PurePosixPath(name).parts
            places = [i for i, p in enumerate(parts[:-1]) if p.lower() in folders]
            if places:
                # The innermost folder gives the role.
                at = places[-1]
                stem = pathlib.PurePosixPath(*parts[:at], *parts[at + 1 :])
                pair = pairs.setdefault(stem.with_suffix("").as_posix(), {})
                # Of several files with one name, the first in natural order is used.
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
    """Opens the pairs below `root` that are in the split."""
    root = pathlib.Path(root)
    pairs = find_pairs(root)
    tops = {splits.top_folder(name) for name in pairs if "/" in name}
    chosen = splits.choose(
        pairs,
        split,
        subfolders=splits.find_subfolders(tops.__contains__),
        scheme=scheme,
        where=f"the folder {root}",
    )
    return Pairs(root, pairs, chosen, cache_bytes=cache_bytes)


class Pairs(files.PictureFiles):
    """Source of the pairs `names` below `root`, whose files are in `pairs`."""

    _kind = "pairs"
    _advice = "give pictures of the same names and sizes in sharp/ and blur/"
    _pictures_per_record = 2

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
        check_same_size(sharp, blurred)
        return sharp

    def _read(self, name: str) -> np.ndarray:
        pair = self._pairs[name]
        return stack(*(decoding.read(self._root / pair[role]) for role in ROLES))

    def _record(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(ROLES, pixels, strict=True))


def check_same_size(sharp: tuple[int, int], blurred: tuple[int, int]) -> None:
    """Raises an error if the (height, width) of the two pictures differ."""
    if sharp != blurred:
        raise decoding.BadPictureError(
            f"the sharp picture is {sharp[1]}x{sharp[0]}, the blurred one "
            f"{blurred[1]}x{blurred[0]}"
        )


def stack(sharp: files.Pixels, blurred: files.Pixels) -> np.ndarray:
    """Stacks the pictures of a pair into one read-only array."""
    check_same_size(sharp.shape[:2], blurred.shape[:2])
    both = np.stack([sharp, blurred])
    both.setflags(write=False)
    return both
