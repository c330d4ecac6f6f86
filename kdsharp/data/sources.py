"""Creates sources from specs: `create("folder:photos", "train")`."""

import pathlib
import re
from collections.abc import Callable
from typing import Any, Protocol

import skimage

from kdsharp.base import choices
from kdsharp.data import files, folder, generated, paired, splits, subset
from kdsharp.errors import UserError

SPLITS = ("train", "valid", "test")
_OPTIONS = ("split", "first", "short", "crop", "count", "frames")


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
        """Names of damaged files found so far."""
        ...

    @property
    def smallest(self) -> tuple[str, int, int] | None:
        """Key, height and width of the smallest picture, or None if unknown."""
        ...

    @property
    def window(self) -> int | None:
        """How many pictures to visit together because they are cached, or None."""
        ...


# Colour photographs in scikit-image, without motorcycle_right (the same scene as
# motorcycle_left), retina and ihc (not taken by cameras).
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
    min_side: int = 0,
    leaves: int = 512,
    leaves_size: int = 256,
) -> Source:
    """Creates the source of a spec such as `folder:PATH?split=70/15/15`.

    Args:
      spec: see `kdsharp.data`.
      split: `train`, `valid` or `test`.
      seed: seed of generated pictures; the splits do not depend on it.
      cache_bytes: limit of decoded pictures in memory, per process.
      min_side: pictures with a shorter side are logged and left out.
      leaves: number of pictures that `embedded` generates for training.
      leaves_size: height and width of generated pictures.
    """
    if split not in SPLITS:
        raise choices.unknown("split", split, SPLITS)
    place, options = _split_options(spec)
    scheme = options.get("split")
    kind, _, argument = place.partition(":")
    if kind not in _KINDS or (kind == "embedded" and (argument or scheme)):
        raise UserError(
            f"there is no source {spec!r}: use 'embedded', 'folder:PATH', "
            "'paired:PATH', 'tfds:NAME', 'clips:PATH' or 'snapshots:PATH'"
        )
    if kind != "embedded" and not argument:
        raise UserError(
            f"the source '{kind}:' lacks the name of a {_ARGUMENTS[kind]} after the "
            "colon"
        )
    if scheme is not None:
        splits.percentages(scheme)  # Raises an error for an invalid scheme.
    if scheme is not None and kind in ("clips", "snapshots"):
        raise UserError(
            f"the source {spec!r} is divided by its photographs; leave out "
            f"'split={scheme}'"
        )
    if "count" in options and kind != "snapshots":
        raise UserError(
            f"the source {spec!r} has no count; use 'first=N' to take fewer"
        )
    if "frames" in options and kind != "clips":
        raise UserError(f"the source {spec!r} has no frames; only 'clips:' has")
    first, short, crop, count, frames = (
        _integer_option(options, name, spec)
        for name in ("first", "short", "crop", "count", "frames")
    )
    if frames and short:
        raise UserError(
            f"the frames of {spec!r} keep their size: leave out 'short={short}'"
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
        frames=frames,
    )
    if isinstance(source, files.PictureFiles):
        source.drop_smaller(min_side)
    if not (first or short or crop):
        return source
    return subset.Subset(source, first=first, short=short, crop=crop)


def _split_options(spec: str) -> tuple[str, dict[str, str]]:
    """Splits a spec into source and options; folder names may contain `?` too."""
    match = re.search(rf"\?(?=(?:{'|'.join(_OPTIONS)})=)", spec)
    if match is None:
        return spec, {}
    pairs = [option.partition("=") for option in spec[match.end() :].split("&")]
    for name, _, _ in pairs:
        if name not in _OPTIONS:
            raise UserError(
                f"unknown option {name!r} in source {spec!r}; choose one of: "
                f"{', '.join(_OPTIONS)}"
            )
    return spec[: match.start()], {name: value for name, _, value in pairs}


def _integer_option(options: dict[str, str], name: str, spec: str) -> int:
    """The value of an integer option, or 0 if it is not given."""
    value = options.get(name, "0")
    if not value.isdecimal() or (name in options and not int(value)):
        raise UserError(
            f"{name} in source {spec!r} must be a whole number of at least 1, not "
            f"{value!r}"
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
    **others,
) -> Source:
    del argument, scheme, others
    if split == "train":
        return generated.DeadLeaves(count=leaves, size=leaves_size, seed=seed)
    return files.PictureFiles(
        skimage.data_dir, _EMBEDDED[split], cache_bytes=cache_bytes
    )


def _folder(
    argument: str, split: str, *, scheme: str | None, cache_bytes: int, **generation
) -> Source:
    del generation
    root = pathlib.Path(argument).expanduser()
    names = folder.names_of_split(root, split, scheme)
    return files.PictureFiles(root, names, cache_bytes=cache_bytes)


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
    # Importing tfds takes a second, which other sources do not need.
    from kdsharp.data import prepared

    return prepared.open_split(argument, split, scheme, cache_bytes=cache_bytes)


def _clips(
    argument: str, split: str, *, cache_bytes: int, frames: int, **others
) -> Source:
    del others
    from kdsharp.data.clips import source  # PyAV is optional.

    return source.open_clips(argument, split, frames=frames, cache_bytes=cache_bytes)


def _snapshots(
    argument: str, split: str, *, seed: int, cache_bytes: int, count: int, **others
) -> Source:
    del others
    from kdsharp.data import snapshots

    return snapshots.Snapshots(
        argument,
        split,
        count=count or snapshots.COUNT,
        # Every run is validated on the same snapshots.
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
