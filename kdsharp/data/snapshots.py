"""Simulated phone snapshots: pairs of a sharp crop and a degraded one.

`draw(seed, index, photographs)` samples a recipe; `render(recipe, photographs)` returns
the sharp crop and the blurred one: blurred by a lens or a moving hand, with sensor
noise and demosaicing, resized, oversharpened, compressed by real JPEG or WebP encoders,
or unchanged. Some crops show pages that `clips.screens` draws. `Snapshots` is a source
of such pairs.
"""

import io
import logging
import math
import os
import pathlib
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageFilter
from scipy import ndimage, signal

from kdsharp.data import decoding, folder, splits
from kdsharp.data.clips import rebuilding, scenes, screens
from kdsharp.data.clips.recipes import SPLIT
from kdsharp.data.lru_cache import LruCache
from kdsharp.errors import UserError

logger = logging.getLogger(__name__)

SIZE = 256
# Snapshots of a source by default.
COUNT = 20_000
# Rendered pairs in the cache, 0.4 MB each.
_CACHED_PAIRS = 256

_RESAMPLINGS = {
    "area": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}

Photographs = Callable[[str], Image.Image]


def draw(seed: int, index: int, photographs: Sequence[str]) -> dict[str, Any]:
    """Samples the recipe of snapshot `index`, as JSON-compatible data."""
    rng = random.Random(f"snapshot/{seed}/{index}")
    name = rng.choice(photographs)
    recipe = {
        "split": splits.hashed_split(name, SPLIT),
        "file": name,
        "page": rng.randrange(1 << 30) if rng.random() < 0.1 else None,
        "scale": math.exp(rng.uniform(math.log(1.25), math.log(4))),
        "at": [rng.random(), rng.random()],
        "tone": [rng.uniform(0.7, 1.5), rng.uniform(0.6, 1)] * (rng.random() < 0.3),
        "seed": rng.randrange(1 << 30),
        "steps": [],
    }
    fate = rng.random()
    if fate < 0.1:
        return recipe
    if fate > 0.22:
        recipe["steps"] = _before_storage(rng)
    if fate < 0.22 or rng.random() < 0.6:
        recipe["steps"].append(_storage(rng))
        if rng.random() < 0.12:
            recipe["steps"].append(_storage(rng))
    return recipe


def _before_storage(rng: random.Random) -> list[list]:
    steps = []
    if rng.random() < 0.72:
        steps.append(_lens(rng))
    if rng.random() < 0.25:
        steps.append(["sensor", rng.uniform(0.002, 0.03), rng.random() < 0.7])
    if rng.random() < 0.32:
        factor = rng.choice((2.0, rng.uniform(1.15, 2), rng.uniform(2, 3.2)))
        kinds = list(_RESAMPLINGS)
        steps.append(["resize", factor, rng.choice(kinds), rng.choice(kinds[1:])])
    if rng.random() < 0.12:
        steps.append(["sharpen", rng.uniform(0.6, 2), rng.uniform(30, 130)])
    return steps


def _lens(rng: random.Random) -> list:
    kind = rng.choice(("gaussian",) * 6 + ("disc",) * 3 + ("line",) * 4 + ("shake",))
    linear = rng.random() < 0.4
    if kind == "gaussian":
        return [kind, rng.choice((rng.uniform(0.3, 1.3), rng.uniform(0.8, 3))), linear]
    if kind == "disc":
        return [kind, rng.uniform(0.5, 4), linear]
    return [kind, rng.uniform(2, 20), rng.uniform(0, math.pi), linear]


def _storage(rng: random.Random) -> list:
    if rng.random() < 0.08:
        return ["webp", rng.randint(20, 95)]
    return ["jpeg", rng.randint(15, 96), rng.choice((0, 2, 2))]


def render(
    recipe: Mapping[str, Any], photographs: Photographs
) -> tuple[np.ndarray, np.ndarray]:
    """Renders the sharp crop and the degraded one, RGB uint8."""
    sharp = _crop(recipe, photographs)
    rng = np.random.default_rng(recipe["seed"])
    blurred = sharp
    for name, *arguments in recipe["steps"]:
        blurred = _STEPS[name](blurred, rng, *arguments)
    return np.asarray(sharp), np.asarray(blurred)


def _crop(recipe: Mapping[str, Any], photographs: Photographs) -> Image.Image:
    if recipe["page"] is not None:
        page = screens.page(recipe["page"])
        left, top = (
            round(place * (side - SIZE))
            for place, side in zip(recipe["at"], page.size, strict=True)
        )
        return page.crop((left, top, left + SIZE, top + SIZE))
    picture = photographs(recipe["file"])
    scale = min(recipe["scale"], 0.98 * min(picture.size) / SIZE)
    left, top = (
        place * (side - scale * SIZE)
        for place, side in zip(recipe["at"], picture.size, strict=True)
    )
    box = (left, top, left + scale * SIZE, top + scale * SIZE)
    crop = picture.resize((SIZE, SIZE), Image.Resampling.BICUBIC, box=box)
    return scenes.adjust_tone(crop, recipe["tone"])


def _to_light(picture: Image.Image, linear: bool) -> np.ndarray:
    pixels = np.asarray(picture, np.float32) / 255
    return pixels**2.2 if linear else pixels


def _to_picture(pixels: np.ndarray, linear: bool) -> Image.Image:
    pixels = np.clip(pixels, 0, 1)
    pixels = pixels ** (1 / 2.2) if linear else pixels
    return Image.fromarray((255 * pixels + 0.5).astype(np.uint8))


def _gaussian(picture, rng, sigma, linear):
    pixels = _to_light(picture, linear)
    blurred = ndimage.gaussian_filter(pixels, (sigma, sigma, 0), truncate=3.5)
    return _to_picture(blurred, linear)


def _disc(picture, rng, radius, linear):
    reach = math.ceil(radius)
    at = (np.arange((2 * reach + 1) * 8) + 0.5) / 8 - reach - 0.5
    inside = np.hypot(at[:, None], at) <= radius
    side = 2 * reach + 1
    return _convolve(picture, inside.reshape(side, 8, side, 8).sum((1, 3)), linear)


def _line(picture, rng, length, angle, linear):
    parts = np.linspace(-length / 2, length / 2, 4 * math.ceil(length) + 1)
    path = np.outer(parts, (math.sin(angle), math.cos(angle)))
    return _convolve(picture, _path_kernel(path), linear)


def _shake(picture, rng, length, angle, linear):
    turns = np.cumsum(rng.normal(0, 0.12, 64)) + angle
    path = np.cumsum(np.stack([np.sin(turns), np.cos(turns)], 1), 0) * length / 64
    return _convolve(picture, _path_kernel(path - path.mean(0)), linear)


def _path_kernel(path: np.ndarray) -> np.ndarray:
    """Rasterises a path into a kernel, each point spread bilinearly over 4 pixels."""
    reach = math.ceil(np.abs(path).max()) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    for y, x in path + reach:
        row, column = int(y), int(x)
        down, across = y - row, x - column
        kernel[row : row + 2, column : column + 2] += np.outer(
            (1 - down, down), (1 - across, across)
        )
    return kernel


def _convolve(picture, kernel, linear):
    pixels = _to_light(picture, linear)
    kernel = (kernel / kernel.sum()).astype(np.float32)
    margin = kernel.shape[0] // 2
    wide = np.pad(pixels, ((margin, margin), (margin, margin), (0, 0)), "symmetric")
    blurred = signal.fftconvolve(wide, kernel[..., None], "valid", axes=(0, 1))
    return _to_picture(blurred, linear)


def _sensor(picture, rng, noise, denoised):
    """Sensor noise, a Bayer mosaic, bilinear demosaicing, and optional denoising."""
    light = _to_light(picture, True)
    light = light + noise * np.sqrt(light + 0.02) * rng.standard_normal(
        light.shape, np.float32
    )
    rows, columns = np.indices(light.shape[:2]) % 2
    colours = np.stack([(rows + columns == 0), (rows + columns == 1), rows * columns])
    colours = np.moveaxis(colours, 0, -1).astype(np.float32)
    near = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], np.float32)[..., None]
    found = ndimage.convolve(light * colours, near, mode="mirror")
    light = found / ndimage.convolve(colours, near, mode="mirror")
    if denoised:
        luma = light.mean(-1, keepdims=True)
        colour = ndimage.gaussian_filter(light - luma, (1.5, 1.5, 0))
        smooth = ndimage.gaussian_filter(luma, (0.8, 0.8, 0))
        detail = luma - smooth
        kept = detail**2 / (detail**2 + (1.5 * noise) ** 2 * (luma.clip(0) + 0.02))
        light = smooth + kept * detail + colour
    return _to_picture(light, True)


def _resize(picture, rng, factor, down, up):
    small = [max(8, round(side / factor)) for side in picture.size]
    reduced = picture.resize(small, _RESAMPLINGS[down])
    return reduced.resize(picture.size, _RESAMPLINGS[up])


def _sharpen(picture, rng, radius, percent):
    return picture.filter(ImageFilter.UnsharpMask(radius, round(percent), 0))


def _jpeg(picture, rng, quality, subsampling):
    return _reencode(picture, "jpeg", quality=quality, subsampling=subsampling)


def _webp(picture, rng, quality):
    return _reencode(picture, "webp", quality=quality)


def _reencode(picture: Image.Image, kind: str, **options) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return Image.open(file).convert("RGB")


_STEPS = {
    "gaussian": _gaussian,
    "disc": _disc,
    "line": _line,
    "shake": _shake,
    "sensor": _sensor,
    "resize": _resize,
    "sharpen": _sharpen,
    "jpeg": _jpeg,
    "webp": _webp,
}


class Snapshots:
    """Source of snapshots of the photographs below `root`, rendered on access.

    `count` is the number of snapshots in all splits together; a split has those of its
    own photographs.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        split: str,
        *,
        count: int = COUNT,
        seed: int = 0,
        cache_bytes: int = 1 << 28,
    ):
        root = pathlib.Path(root).expanduser()
        self.skipped: list[str] = []
        names = self._usable(root)
        drawn = ((index, draw(seed, index, names)) for index in range(count))
        self._recipes = [(i, recipe) for i, recipe in drawn if recipe["split"] == split]
        if not self._recipes:
            raise UserError(
                f"none of the {count} snapshots of {len(names)} photographs in {root} "
                f"is in the split {split!r}: add photographs"
            )
        self._originals = rebuilding.OriginalFiles(root, cache_bytes=cache_bytes)
        self._pairs = LruCache(self._render, _CACHED_PAIRS)

    def __len__(self) -> int:
        return len(self._recipes)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """The record of the pair at `index`."""
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        sharp, blurred = self._pairs(index)
        key = f"snapshots/{self._recipes[index][0]:06}"
        return {"key": key, "sharp": sharp, "blurred": blurred}

    @property
    def smallest(self) -> tuple[str, int, int]:
        """A name, height and width of the crops, which are all of one size."""
        return "snapshots", SIZE, SIZE

    @property
    def window(self) -> int:
        """The number of pairs in the cache."""
        return _CACHED_PAIRS

    def _usable(self, root: pathlib.Path) -> list[str]:
        """Lists the photographs that are large enough, without damaged ones."""
        names = []
        for name in folder.find_pictures(root):
            try:
                small = min(decoding.size(root / name)) < 1.25 * SIZE
            except decoding.BadPictureError as error:
                logger.warning("skipping %s: %s", root / name, error)
                self.skipped.append(name)
                continue
            if not small:
                names.append(name)
        if not names:
            raise UserError(
                f"the folder {root} holds no photographs of at least "
                f"{round(1.25 * SIZE)} pixels a side"
            )
        return names

    def _render(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        try:
            pair = render(self._recipes[index][1], self._originals.photograph)
        except decoding.BadPictureError as error:
            raise UserError(f"a photograph cannot be decoded: {error}") from error
        for pixels in pair:
            pixels.setflags(write=False)
        return pair
