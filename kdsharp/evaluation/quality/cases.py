"""Test cases: sharp pictures that are blurred here, or existing pairs."""

import dataclasses
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import jax
import numpy as np

from kdsharp.core.degradations import Degradation
from kdsharp.data import decoding, folder, paired
from kdsharp.data.sources import Source
from kdsharp.errors import UserError
from kdsharp.training.step import sharp_and_blurred, to_pixels


class TestPair(NamedTuple):
    """A sharp and a blurred picture, RGB in batches of one.

    `grey` is true if the file of the sharp picture is greyscale.
    """

    sharp: jax.Array
    blurred: jax.Array
    grey: bool


@dataclasses.dataclass(frozen=True)
class Case:
    """A picture by name; `load` raises `BadPictureError` if it cannot be read."""

    name: str
    load: Callable[[], TestPair]


@dataclasses.dataclass(frozen=True)
class Cases:
    """Usable test cases, and the reasons for files that are left out."""

    usable: list[Case]
    left_out: dict[str, str]


def of_sharp(
    path: Path, degradation: Degradation, *, seed: int = 0, shift: int = 0
) -> Cases:
    """Creates cases from sharp pictures, with a blur that depends on name and seed.

    Pictures are cropped to a multiple of the degradation's factor, as in published
    tests. With a `shift`, this many rows and columns are cropped after the blur, so
    that its grid is not aligned with the picture.
    """
    names = [path.name] if path.is_file() else folder.find_pictures(path)
    root = path.parent if path.is_file() else path
    if not names:
        raise UserError(f"the folder {path} holds no picture files")

    def load(name: str) -> TestPair:
        pixels = crop_to_multiple(decoding.read(root / name), degradation.factor)
        sharp = to_pixels(pixels[None], 3)
        if min(sharp.shape[1:3]) <= shift:
            raise decoding.BadPictureError("no larger than the shift")
        pair = (sharp, degradation(_keys(name, seed), sharp))
        sharp, blurred = (x[:, shift:, shift:] for x in pair)
        return TestPair(sharp, blurred, decoding.is_grey(root / name))

    return Cases([_case(name, load) for name in names], {})


def of_source(source: Source, degradation: Degradation, *, seed: int = 0) -> Cases:
    """Creates cases from a source of `kdsharp.data`; none counts as greyscale.

    Pictures are blurred as in `of_sharp`; pairs are used as they are.
    """
    places = {source[place]["key"]: place for place in range(len(source))}

    def load(name: str) -> TestPair:
        batch = {
            field: crop_to_multiple(value, degradation.factor)[None]
            for field, value in source[places[name]].items()
            if isinstance(value, np.ndarray)
        }
        return TestPair(
            *sharp_and_blurred(batch, _keys(name, seed), degradation, 3), grey=False
        )

    return Cases([_case(name, load) for name in places], {})


def crop_to_multiple(pixels: np.ndarray, factor: int) -> np.ndarray:
    """Crops height and width to multiples of the factor, at the top left."""
    height, width = (side // factor * factor for side in pixels.shape[:2])
    if not height or not width:
        raise decoding.BadPictureError("smaller than the degradation's factor")
    return pixels[:height, :width]


def _keys(name: str, seed: int) -> jax.Array:
    """A random key by name, so that a blur does not depend on the other pictures."""
    return jax.random.fold_in(jax.random.key(seed), zlib.crc32(name.encode()))[None]


def of_pairs(blurred: Path, sharp: Path) -> Cases:
    """Creates cases from two folders with the same names, whatever their suffixes."""
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
            f"{blurred} and {sharp} have no picture name in common"
            + ("" if left_out else ": neither holds a picture")
        )

    def load(name: str) -> TestPair:
        files = sharp_files[name], blurred_files[name]
        paired.check_same_size(*(decoding.size(file) for file in files))
        sharp, blurred = (to_pixels(decoding.read(file)[None], 3) for file in files)
        return TestPair(sharp, blurred, decoding.is_grey(sharp_files[name]))

    return Cases([_case(name, load) for name in names], left_out)


def _case(name: str, load: Callable[[str], TestPair]) -> Case:
    return Case(name, lambda: load(name))


def _files(path: Path) -> dict[str, Path]:
    """Finds the pictures of a folder, or one file, by name without suffix."""
    if path.is_file():
        return {path.stem: path}
    paths: dict[str, Path] = {}
    for name in folder.find_pictures(path):
        # Of several files with one name, the first in natural order is used.
        paths.setdefault(PurePosixPath(name).with_suffix("").as_posix(), path / name)
    return paths
