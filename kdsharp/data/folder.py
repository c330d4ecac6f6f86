"""A person's own folder of photographs: which files, and which split each is in."""

import logging
import os
import pathlib
import re

from kdsharp.data import decoding, splits
from kdsharp.errors import UserError

logger = logging.getLogger(__name__)


def names_of_split(
    root: str | os.PathLike[str], split: str, scheme: str | None = None
) -> list[str]:
    """Picture files of the split, relative to `root`, in natural order.

    Subfolders train/ and valid/ (and test/) decide where both exist. Otherwise a
    split's own subfolder is taken as it is and a hash of each other name decides, so
    that a picture never changes sides when others join it.
    """
    root = pathlib.Path(root)
    names = find_pictures(root)
    if not names:
        raise UserError(
            f"the folder {root} holds no picture files: give a folder of photographs"
        )
    return splits.choose(
        names,
        split,
        own=splits.own_subfolders(lambda name: (root / name).is_dir()),
        scheme=scheme,
        where=f"The folder {root}",
    )


def find_pictures(root: pathlib.Path) -> list[str]:
    """Every picture file below `root`, as relative POSIX paths in natural order."""
    check(root)
    found = []
    seen = set()
    for folder, subfolders, files in os.walk(
        root, followlinks=True, onerror=_step_over
    ):
        real = os.path.realpath(folder)
        if real in seen:  # A link that leads back up would never end.
            subfolders.clear()
            continue
        seen.add(real)
        subfolders[:] = sorted(name for name in subfolders if name[0] != ".")
        for name in files:
            if name[0] != "." and decoding.has_picture_suffix(name):
                path = pathlib.Path(folder, name)
                found.append(path.relative_to(root).as_posix())
    return sorted(found, key=natural)


def check(root: pathlib.Path) -> None:
    """Refuses what is no folder that can be read."""
    if root.is_file():
        raise UserError(
            f"{root} is a file: give a folder; if it is an archive, unpack it first"
        )
    if not root.is_dir():
        raise UserError(f"there is no folder {root}: check the path")
    if not os.access(root, os.R_OK | os.X_OK):
        raise UserError(f"the folder {root} cannot be read: check its permissions")


def _step_over(error: OSError) -> None:
    logger.warning("Skipping the folder %s: %s", error.filename, error.strerror)


def natural(name: str) -> tuple[list[str | int], str]:
    """A key to sort names by: numbers in them count as numbers."""
    parts = re.split(r"(\d+)", name.lower(), flags=re.ASCII)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], name
