"""Sources by name: `create("folder:photos", "train")` is a sequence of pictures."""

import pathlib
import re
from collections.abc import Callable
from typing import Any, Protocol

import skimage

from kdsharp.base import choices
from kdsharp.data import files, folder, generated, paired, splits, subset
from kdsharp.errors import UserError

SPLITS = ("train", "valid", "test")
_OPTIONS = ("split", "first", "short", "crop", "count")


class Records(Protocol):
    """Records by number."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> dict[str, Any]: ...


class Source(Records, Protocol):
    """A sequence of pictures with random access; picklable, for worker processes.

    A record is a dict with `key` (a stable name) and `sharp` (uint8 `[height, width,
    3]`); a source of pairs adds `blurred`, of the same shape.
    """

    @property
    def skipped(self) -> list[str]:
        """Names of the files found damaged so far."""
        ...

    @property
    def smallest(self) -> tuple[str, int, int] | None:
        """Key, height and width of the smallest picture, where that is known."""
        ...

    @property
    def window(self) -> int | None:
        """How many pictures are best used in turn, where not all of them are."""
        ...


# Colour photographs that scikit-image carries. Left out: motorcycle_right (the same
# scene as motorcycle_left), retina and ihc (an ophthalmoscope's and a microscope's
# view, where what is sharp is not what a camera would make sharp).
_EMBEDDED = {
    "valid": ("astronaut.png", "chelsea.png", "motorcycle_left.png"),
    "test": ("coffee.png", "hubble_deep_field.jpg", "rocket.jpg"),
}


def create(
    spec: str,
    split: str,
    *,
    seed: int = 0,
    cache_bytes: int = files.DEFAULT_CACHE_BYTES,
    least_side: int = 0,
    leaves: int = 512,
    leaves_size: int = 256,
) -> Source:
    """The source that `spec` names, such as `folder:PATH?split=70/15/15`.

    Args:
      spec: what to read.
      split: `train`, `valid` or `test`.
      seed: of pictures that are generated; it moves no file between splits.
      cache_bytes: decoded pictures kept in memory, at most, by each process.
      least_side: picture files lower or narrower than that are named and left out.
      leaves: how many pictures `embedded` generates for training.
      leaves_size: their height and width.
    """
    if split not in SPLITS:
        raise choices.unknown("split", split, SPLITS)
    place, options = _divide(spec)
    scheme = options.get("split")
    kind, _, argument = place.partition(":")
    if kind not in _KINDS or (kind == "embedded" and (argument or scheme)):
        raise UserError(
            f"there is no source {spec!r}: use 'embedded', 'folder:PATH', "
            "'paired:PATH', 'tfds:NAME', 'clips:PATH' or 'snapshots:PATH'"
        )
    if kind != "embedded" and not argument:
        raise UserError(
            f"the source '{kind}:' names no {_ARGUMENTS[kind]}: write '{kind}:' and "
            "its name"
        )
    if scheme is not None:
        splits.shares(scheme)  # A scheme that cannot be is told before all else.
    if scheme is not None and kind in ("clips", "snapshots"):
        raise UserError(
            f"the source {spec!r} is divided by its photographs; leave out "
            f"'split={scheme}'"
        )
    if "count" in options and kind != "snapshots":
        raise UserError(f"the source {spec!r} has no count; use 'first=N' to take less")
    first, short, crop, count = (
        _whole_number(options, name, spec)
        for name in ("first", "short", "crop", "count")
    )
    source = _KINDS[kind](
        argument,
        split,
        scheme=scheme,
        seed=seed,
        cache_bytes=cache_bytes,
        leaves=min(leaves, first or leaves),
        leaves_size=leaves_size,
        count=count,
    )
    if isinstance(source, files.Files):
        source.leave_out_smaller(least_side)
    if not (first or short or crop):
        return source
    return subset.Subset(source, first=first, short=short, crop=crop)


def _divide(spec: str) -> tuple[str, dict[str, str]]:
    """A spec without its options, and these; a question mark may be a folder's own."""
    match = re.search(rf"\?(?=(?:{'|'.join(_OPTIONS)})=)", spec)
    if match is None:
        return spec, {}
    pairs = [option.partition("=") for option in spec[match.end() :].split("&")]
    for name, _, _ in pairs:
        if name not in _OPTIONS:
            raise UserError(
                f"the source {spec!r} has no option {name!r}: there are "
                f"{', '.join(_OPTIONS)}, with '&' between them"
            )
    return spec[: match.start()], {name: value for name, _, value in pairs}


def _whole_number(options: dict[str, str], name: str, spec: str) -> int:
    """What an option counts; zero where it is not given."""
    value = options.get(name, "0")
    if not value.isdecimal() or (name in options and not int(value)):
        raise UserError(
            f"the source {spec!r} has {name}={value}: write a whole number from 1 on"
        )
    return int(value)


def _embedded(
    argument: str,
    split: str,
    *,
    scheme: str | None,
    seed: int,
    cache_bytes: int,
    leaves: int,
    leaves_size: int,
    count: int,
) -> Source:
    del argument, scheme, count
    if split == "train":
        return generated.DeadLeaves(count=leaves, size=leaves_size, seed=seed)
    return files.Files(skimage.data_dir, _EMBEDDED[split], cache_bytes=cache_bytes)


def _folder(
    argument: str, split: str, *, scheme: str | None, cache_bytes: int, **generation
) -> Source:
    del generation
    root = pathlib.Path(argument).expanduser()
    names = folder.names_of_split(root, split, scheme)
    return files.Files(root, names, cache_bytes=cache_bytes)


def _paired(
    argument: str, split: str, *, scheme: str | None, cache_bytes: int, **generation
) -> Source:
    del generation
    root = pathlib.Path(argument).expanduser()
    return paired.open_folder(root, split, scheme, cache_bytes=cache_bytes)


def _tfds(
    argument: str, split: str, *, scheme: str | None, cache_bytes: int, **generation
) -> Source:
    del generation
    # Late, since importing tfds takes a second that the other sources need not pay.
    from kdsharp.data import prepared

    return prepared.open_data(argument, split, scheme, cache_bytes=cache_bytes)


def _clips(argument: str, split: str, *, cache_bytes: int, **others) -> Source:
    del others
    from kdsharp.data.clips import source  # Late, as PyAV is not always installed.

    return source.Clips(argument, split, cache_bytes=cache_bytes)


def _snapshots(
    argument: str, split: str, *, seed: int, cache_bytes: int, count: int, **others
) -> Source:
    del others
    from kdsharp.data import snapshots

    return snapshots.Snapshots(
        argument,
        split,
        count=count or snapshots.COUNT,
        # What scores are taken on is the same for every training.
        seed=seed if split == "train" else 0,
        cache_bytes=cache_bytes,
    )


_KINDS: dict[str, Callable[..., Source]] = {
    "embedded": _embedded,
    "folder": _folder,
    "paired": _paired,
    "tfds": _tfds,
    "clips": _clips,
    "snapshots": _snapshots,
}
_ARGUMENTS = {
    "folder": "folder",
    "paired": "folder",
    "tfds": "data set",
    "clips": "folder",
    "snapshots": "folder",
}
