"""Folders of photographs: finding the files, and the split of each."""

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
    """Lists the picture files of a split, relative to `root`, in natural order.

    If subfolders train/ and valid/ both exist, they (and test/) define the splits.
    Otherwise a split's own subfolder is used as it is, and a hash of the name decides
    for all other pictures, so that adding pictures never moves one to another split.
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
        subfolders=splits.find_subfolders(lambda name: (root / name).is_dir()),
        scheme=scheme,
        where=f"the folder {root}",
    )


def find_pictures(root: pathlib.Path) -> list[str]:
    """Lists the picture files below `root`: relative POSIX paths in natural order."""
    check(root)
    names = []
    seen = set()
    for folder, subfolders, files in os.walk(
        root, followlinks=True, onerror=_log_skipped
    ):
        real = os.path.realpath(folder)
        if real in seen:  # A symlink to a parent folder would recurse forever.
            subfolders.clear()
            continue
        seen.add(real)
        subfolders[:] = sorted(name for name in subfolders if name[0] != ".")
        for name in files:
            if name[0] != "." and decoding.has_picture_suffix(name):
                path = pathlib.Path(folder, name)
                names.append(path.relative_to(root).as_posix())
    return sorted(names, key=natural)


def check(root: pathlib.Path) -> None:
    """Raises an error unless `root` is a readable folder."""
    if root.is_file():
        raise UserError(
            f"{root} is a file: give a folder; if it is an archive, unpack it first"
        )
    if not root.is_dir():
        raise UserError(f"there is no folder {root}: check the path")
    if not os.access(root, os.R_OK | os.X_OK):
        raise UserError(f"the folder {root} cannot be read: check its permissions")


def _log_skipped(error: OSError) -> None:
    logger.warning("skipping folder %s: %s", error.filename, error.strerror)


def natural(name: str) -> tuple[list[str | int], str]:
    """Sort key for natural order, in which `2.png` comes before `10.png`."""
    parts = re.split(r"(\d+)", name.lower(), flags=re.ASCII)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], name
