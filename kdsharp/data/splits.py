"""Splits into training, validation and test, by subfolder or by a hash of the name.

A scheme gives the percentage of each split:

    80/10/10    training, validation, test
    80/20       training and validation, no test split
    80/20+10    10% for testing, the rest divided 80/20

The hash depends on the name alone, so adding pictures never moves one to another split.
"""

import functools
import hashlib
import logging
import re
from collections.abc import Callable, Iterable

from kdsharp.errors import UserError

logger = logging.getLogger(__name__)

DEFAULT = "80/10/10"

# The names that the subfolder of each split may have.
SUBFOLDERS = {
    "train": ("train",),
    "valid": ("valid", "val", "validation"),
    "test": ("test",),
}

# Schemes to suggest for few pictures, the usual ones first.
_SCHEMES = (
    "80/20",
    "70/30",
    "60/40",
    "50/50",
    *(f"{train}/{100 - train}" for train in range(95, 0, -5)),
)

_SCHEME = re.compile(r"(\d+)/(\d+)(?:/(\d+)|\+(\d+))?", re.ASCII)


@functools.cache
def percentages(scheme: str) -> tuple[int, int, int]:
    """Parses a scheme into the percentages of training, validation and test."""
    match = _SCHEME.fullmatch(scheme)
    parts = [int(part or 0) for part in match.groups()] if match else [0, 0, 0, 0]
    train, valid, test, reserved = parts
    if train + valid + test != 100 or not train or not valid or reserved >= 100:
        raise UserError(
            f"invalid split {scheme!r}: write percentages that sum to 100, such as "
            "80/10/10, 80/20 or 80/20+10"
        )
    if reserved:
        train = round(train * (100 - reserved) / 100)
        valid, test = 100 - reserved - train, reserved
    return train, valid, test


def hashed_split(name: str, scheme: str = DEFAULT) -> str:
    """The split of a picture by the hash of its name."""
    train, valid, _ = percentages(scheme)
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
    number = int.from_bytes(digest[:8], "big")
    # The last digit is the more significant one, so that it alone decides the tenth.
    place = 10 * (number % 10) + number // 10 % 10
    if place < train:
        return "train"
    return "valid" if place < train + valid else "test"


def find_subfolders(exists: Callable[[str], bool]) -> dict[str, str]:
    """Finds the subfolder of each split that has one."""
    return {
        split: name
        for split, names in SUBFOLDERS.items()
        for name in names
        if exists(name)
    }


def top_folder(name: str) -> str:
    """The first component of a relative path."""
    return name.split("/", 1)[0]


def choose(
    names: Iterable[str],
    split: str,
    *,
    subfolders: dict[str, str],
    scheme: str | None,
    where: object,
    group: Callable[[str], str] = str,
) -> list[str]:
    """Selects the names that are in the split, in their order.

    If training and validation both have a subfolder, subfolders define the splits.
    Otherwise a split's own subfolder is used as it is, and a hash decides for the other
    names. Without a test split, the validation split is used, with a warning.

    Args:
      names: relative paths of all pictures.
      split: `train`, `valid` or `test`.
      subfolders: the subfolder of each split that has one.
      scheme: the percentages, or None for the default. A given scheme is an error where
        subfolders define the splits.
      where: the location of the pictures, for messages. group: the part of a name that
      is hashed; pictures with equal groups stay together.
    """
    names = list(names)
    by_folder = "train" in subfolders and "valid" in subfolders
    if by_folder and scheme is not None:
        raise UserError(
            f"{where} is already divided into {subfolders['train']}/ and "
            f"{subfolders['valid']}/: leave out '?split={scheme}'"
        )
    scheme = scheme or DEFAULT
    untested = by_folder or not percentages(scheme)[2]
    if split == "test" and "test" not in subfolders and untested:
        split = "valid"
        logger.warning(
            "%s has no test split: scores are on the validation split, which also "
            "chose the best checkpoint",
            where,
        )
    if by_folder:
        chosen = [name for name in names if top_folder(name) == subfolders[split]]
    else:
        chosen = [
            name
            for name in names
            if _split_of(name, subfolders, scheme, group) == split
        ]
    if not chosen:
        raise UserError(
            f"{where} holds {len(names)} pictures but none in the split {split!r}: "
            + _advice(names, split, subfolders, group)
        )
    return chosen


def _advice(
    names: list[str],
    split: str,
    subfolders: dict[str, str],
    group: Callable[[str], str],
) -> str:
    """Suggests how to give the split pictures, with some left for the others."""
    if split in subfolders:
        return f"put some into {subfolders[split]}/"
    if subfolders:
        missing = " and ".join(
            f"{s}/" for s in ("train", "valid") if s not in subfolders
        )
        return f"put some into {missing}"
    if len(names) < 2:
        return "add pictures"
    for scheme in _SCHEMES:
        sides = {_split_of(name, subfolders, scheme, group) for name in names}
        expected = (
            {"train", "valid", "test"} if percentages(scheme)[2] else {"train", "valid"}
        )
        if sides == expected:
            return (
                f"write '?split={scheme}' after the source, which gives each split "
                "some, or put them into subfolders train/ and valid/"
            )
    return "put them into subfolders train/ and valid/, some into each"


def _split_of(
    name: str, subfolders: dict[str, str], scheme: str, group: Callable[[str], str]
) -> str:
    for split in ("valid", "test"):
        if split in subfolders and top_folder(name) == subfolders[split]:
            return split
    side = hashed_split(group(name), scheme)
    # A split with a subfolder takes no pictures from elsewhere.
    return "train" if side in subfolders else side
