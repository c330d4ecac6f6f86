"""A person's own folder of photographs: which files, and which split each is in."""

import hashlib
import os
import pathlib
import re

from kdsharp.data import pictures
from kdsharp.errors import UserError

# Names under which a folder may keep a split apart; the first is the split's own.
_SUBFOLDERS = {
    "train": ("train",),
    "valid": ("valid", "val", "validation"),
    "test": ("test",),
}


def names_of_split(root: str | os.PathLike[str], split: str) -> list[str]:
    """Picture files of the split, relative to `root`, in natural order.

    Subfolders train/ and valid/ (and test/) decide where both exist. Otherwise a
    split's own subfolder is taken as it is and a hash of each other name decides,
    80/10/10, so that a picture never changes sides when others join it.
    """
    root = pathlib.Path(root)
    if not root.is_dir():
        raise UserError(f"There is no folder {root}: check the path.")
    names = find_pictures(root)
    if not names:
        raise UserError(
            f"The folder {root} holds no picture files: give a folder of photographs."
        )
    own = {
        name: subfolder
        for name, subfolders in _SUBFOLDERS.items()
        for subfolder in subfolders
        if (root / subfolder).is_dir()
    }
    by_folder = "train" in own and "valid" in own
    if by_folder:
        if split not in own:
            raise UserError(
                f"The folder {root} has {own['train']}/ and {own['valid']}/ but no "
                f"{split}/: add one, or ask for another split."
            )
        chosen = [name for name in names if _top(name) == own[split]]
    else:
        chosen = [name for name in names if _side(name, own) == split]
    if not chosen:
        raise UserError(
            f"The folder {root} holds {len(names)} pictures but none for the split "
            f"{split!r}: add pictures, or make subfolders train/ and valid/."
        )
    return chosen


def find_pictures(root: pathlib.Path) -> list[str]:
    """Every picture file below `root`, as relative POSIX paths in natural order."""
    found = []
    seen = set()
    for folder, subfolders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:  # A link that leads back up would never end.
            subfolders.clear()
            continue
        seen.add(real)
        subfolders[:] = sorted(name for name in subfolders if name[0] != ".")
        for name in files:
            if name[0] != "." and pictures.has_picture_suffix(name):
                path = pathlib.Path(folder, name)
                found.append(path.relative_to(root).as_posix())
    return sorted(found, key=_natural)


def hashed_split(name: str) -> str:
    """The split that the name alone decides: 80 % train, 10 % valid, 10 % test."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
    # Modulo a power of two would do no better: 2**64 is far beyond any bias.
    tenth = int.from_bytes(digest[:8], "big") % 10
    return {8: "valid", 9: "test"}.get(tenth, "train")


def _side(name: str, own: dict[str, str]) -> str:
    for split in ("valid", "test"):
        if split in own and _top(name) == own[split]:
            return split
    side = hashed_split(name)
    # A split that has its own subfolder takes nothing from elsewhere.
    return "train" if side in own else side


def _top(name: str) -> str:
    return name.split("/", 1)[0]


def _natural(name: str) -> tuple[list[str | int], str]:
    parts = re.split(r"(\d+)", name.lower(), flags=re.ASCII)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], name
