"""Which split a picture belongs to: a subfolder decides, or a hash of its name.

A scheme says what share of the names each split gets, in percent:

    80/10/10    training, validation, test
    80/20       training and validation; no picture is kept apart for the test
    80/20+10    a tenth of all is kept for the test, the rest is divided 80/20

The hash knows a name and nothing else, so that no picture changes sides when others
join.
"""

import functools
import hashlib
import logging
import re
from collections.abc import Callable, Iterable

from kdsharp.errors import UserError

logger = logging.getLogger(__name__)

DEFAULT = "80/10/10"

# Names under which a folder may keep a split apart; the first is the split's own.
SUBFOLDERS = {
    "train": ("train",),
    "valid": ("valid", "val", "validation"),
    "test": ("test",),
}

# By which few pictures may be divided, the usual ones first.
_SCHEMES = (
    "80/20",
    "70/30",
    "60/40",
    "50/50",
    *(f"{train}/{100 - train}" for train in range(95, 0, -5)),
)

_SCHEME = re.compile(r"(\d+)/(\d+)(?:/(\d+)|\+(\d+))?", re.ASCII)


@functools.cache
def shares(scheme: str) -> tuple[int, int, int]:
    """Percent of the names that training, validation and test get."""
    match = _SCHEME.fullmatch(scheme)
    parts = [int(part or 0) for part in match.groups()] if match else [0, 0, 0, 0]
    train, valid, test, apart = parts
    if train + valid + test != 100 or not train or not valid or apart >= 100:
        raise UserError(
            f"there is no way to split by {scheme!r}: write percents that make 100, "
            "such as 80/10/10, 80/20 or 80/20+10"
        )
    if apart:
        train = round(train * (100 - apart) / 100)
        valid, test = 100 - apart - train, apart
    return train, valid, test


def hashed_split(name: str, scheme: str = DEFAULT) -> str:
    """The split that the name alone decides."""
    train, valid, _ = shares(scheme)
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
    # Modulo a power of two would do no better: 2**64 is far beyond any bias.
    number = int.from_bytes(digest[:8], "big")
    # Of two digits, the last comes first: it alone tells the tenth.
    place = 10 * (number % 10) + number // 10 % 10
    if place < train:
        return "train"
    return "valid" if place < train + valid else "test"


def own_subfolders(exists: Callable[[str], bool]) -> dict[str, str]:
    """The subfolder of each split that has one."""
    return {
        split: name
        for split, names in SUBFOLDERS.items()
        for name in names
        if exists(name)
    }


def top(name: str) -> str:
    """The subfolder that a relative name begins with, or the name."""
    return name.split("/", 1)[0]


def choose(
    names: Iterable[str],
    split: str,
    *,
    own: dict[str, str],
    scheme: str | None,
    where: object,
    group: Callable[[str], str] = str,
) -> list[str]:
    """Those of the names that are in the split, in their order.

    Where training and validation both have a subfolder, subfolders decide. Otherwise
    a split's own subfolder is taken as it is and a hash decides over the other names.
    A test that is nowhere is the validation once more, with a warning.

    Args:
      names: relative to the place that holds the pictures.
      split: `train`, `valid` or `test`.
      own: the subfolder of each split that has one.
      scheme: how to divide; the default may be overruled by subfolders, another not.
      where: the place, for messages.
      group: what of a name is hashed; what it has in common keeps pictures together.
    """
    names = list(names)
    by_folder = "train" in own and "valid" in own
    if by_folder and scheme is not None:
        raise UserError(
            f"{where} is divided by its own {own['train']}/ and {own['valid']}/: leave "
            f"out '?split={scheme}'"
        )
    scheme = scheme or DEFAULT
    untested = by_folder or not shares(scheme)[2]
    if split == "test" and "test" not in own and untested:
        split = "valid"
        logger.warning(
            "%s keeps no pictures apart for the test: the scores are on those of the "
            "validation, which also chose the best step",
            where,
        )
    if by_folder:
        chosen = [name for name in names if top(name) == own[split]]
    else:
        chosen = [name for name in names if _side(name, own, scheme, group) == split]
    if not chosen:
        raise UserError(
            f"{where} holds {len(names)} pictures but none for the split {split!r}: "
            + _advice(names, split, own, group)
        )
    return chosen


def _advice(
    names: list[str], split: str, own: dict[str, str], group: Callable[[str], str]
) -> str:
    """What gives that split pictures, and leaves some to the others."""
    if split in own:
        return f"put some into {own[split]}/"
    if own:
        missing = " and ".join(f"{s}/" for s in ("train", "valid") if s not in own)
        return f"put some into {missing}"
    if len(names) < 2:
        return "add pictures"
    for scheme in _SCHEMES:
        sides = {_side(name, own, scheme, group) for name in names}
        wanted = {"train", "valid", "test"} if shares(scheme)[2] else {"train", "valid"}
        if sides == wanted:
            return (
                f"write '?split={scheme}' after the source, which gives each split "
                "some, or put them into subfolders train/ and valid/"
            )
    return "put them into subfolders train/ and valid/, some into each"


def _side(
    name: str, own: dict[str, str], scheme: str, group: Callable[[str], str]
) -> str:
    for split in ("valid", "test"):
        if split in own and top(name) == own[split]:
            return split
    side = hashed_split(group(name), scheme)
    # A split that has its own subfolder takes nothing from elsewhere.
    return "train" if side in own else side
