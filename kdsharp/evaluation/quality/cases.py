"""Pictures to be judged by: sharp ones that are blurred here, or pairs as they are."""

import dataclasses
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import jax
import numpy as np
from PIL import Image, ImageMode

from kdsharp.core.degradations import Degradation
from kdsharp.data import decoding, folder, paired
from kdsharp.data.sources import Source
from kdsharp.errors import UserError
from kdsharp.training.step import sharp_and_blurred, to_pixels


class Pair(NamedTuple):
    """A sharp and a blurred picture, RGB in batches of one.

    `grey` says that the sharp one's file has no place for colour.
    """

    sharp: jax.Array
    blurred: jax.Array
    grey: bool


@dataclasses.dataclass(frozen=True)
class Case:
    """A picture by name; `load` raises `BadPictureError` where it cannot be read."""

    name: str
    load: Callable[[], Pair]


@dataclasses.dataclass(frozen=True)
class Cases:
    """What is there, and what is not, with the reason."""

    whole: list[Case]
    left_out: dict[str, str]


def of_sharp(
    path: Path, degradation: Degradation, *, seed: int = 0, shift: int = 0
) -> Cases:
    """Returns the pictures below a folder, each blurred the same way at every call.

    Sizes are cut to a multiple of the degradation's factor, as published ones are. With
    a `shift`, so many rows and columns are cut off after the blur, whose grid then is
    not the picture's.
    """
    names = [path.name] if path.is_file() else folder.find_pictures(path)
    root = path.parent if path.is_file() else path
    if not names:
        raise UserError(f"the folder {path} holds no picture files")

    def load(name: str) -> Pair:
        pixels = cut_to_multiple(decoding.read(root / name), degradation.factor)
        sharp = to_pixels(pixels[None], 3)
        if min(sharp.shape[1:3]) <= shift:
            raise decoding.BadPictureError("no larger than the shift")
        pair = (sharp, degradation(_keys(name, seed), sharp))
        return Pair(*(x[:, shift:, shift:] for x in pair), _is_grey(root / name))

    return Cases([_case(name, load) for name in names], {})


def of_source(source: Source, degradation: Degradation, *, seed: int = 0) -> Cases:
    """Returns the pictures of a source of `kdsharp.data`, none of them taken as grey.

    They are blurred as by `of_sharp`, and pairs stay what they are.
    """
    places = {source[place]["key"]: place for place in range(len(source))}

    def load(name: str) -> Pair:
        batch = {
            field: cut_to_multiple(value, degradation.factor)[None]
            for field, value in source[places[name]].items()
            if isinstance(value, np.ndarray)
        }
        return Pair(
            *sharp_and_blurred(batch, _keys(name, seed), degradation, 3), grey=False
        )

    return Cases([_case(name, load) for name in places], {})


def cut_to_multiple(pixels: np.ndarray, factor: int) -> np.ndarray:
    """Returns as much of a picture as is a multiple of the factor."""
    height, width = (side // factor * factor for side in pixels.shape[:2])
    if not height or not width:
        raise decoding.BadPictureError("smaller than the degradation's factor")
    return pixels[:height, :width]


def _keys(name: str, seed: int) -> jax.Array:
    """Returns chance by name: no picture's blur changes when others join or leave."""
    return jax.random.fold_in(jax.random.key(seed), zlib.crc32(name.encode()))[None]


def of_pairs(blurred: Path, sharp: Path) -> Cases:
    """Returns the pairs of two folders under the same names, whatever the suffix."""
    blurred_files, sharp_files = _files(blurred), _files(sharp)
    if blurred.is_file() and sharp.is_file():
        (name,) = sharp_files
        blurred_files = {name: blurred}
    names = sorted(blurred_files.keys() & sharp_files.keys(), key=folder.natural)
    left_out = {
        str(path): f"has no partner in {other}"
        for files, others, other in (
            (blurred_files, sharp_files, sharp),
            (sharp_files, blurred_files, blurred),
        )
        for name, path in files.items()
        if name not in others
    }
    if not names:
        raise UserError(
            f"{blurred} and {sharp} have no picture's name in common"
            + ("" if left_out else ": neither holds a picture")
        )

    def load(name: str) -> Pair:
        files = sharp_files[name], blurred_files[name]
        paired.check_same_size(*(decoding.size(file) for file in files))
        pair = (to_pixels(decoding.read(file)[None], 3) for file in files)
        return Pair(*pair, _is_grey(sharp_files[name]))

    return Cases([_case(name, load) for name in names], left_out)


def _is_grey(path: Path) -> bool:
    """Returns whether the file has no place for colour."""
    with Image.open(path) as image:
        return ImageMode.getmode(image.mode).basemode == "L"


def _case(name: str, load: Callable[[str], Pair]) -> Case:
    return Case(name, lambda: load(name))


def _files(path: Path) -> dict[str, Path]:
    """Returns the pictures of a folder, or one, by their names without suffix."""
    if path.is_file():
        return {path.stem: path}
    found: dict[str, Path] = {}
    for name in folder.find_pictures(path):
        # Of several files under one name the first in order counts.
        found.setdefault(PurePosixPath(name).with_suffix("").as_posix(), path / name)
    return found
