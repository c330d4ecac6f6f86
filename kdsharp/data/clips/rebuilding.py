"""Whole clips again: true frames from photographs, decoded ones from the stream."""

import dataclasses
import functools
import pathlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from kdsharp.data.clips import camera, codecs, scenes
from kdsharp.data.clips.recipes import HEIGHT, WIDTH, Recipe

_SIZE = (WIDTH, HEIGHT)


@dataclasses.dataclass(frozen=True)
class Clip:
    """Frames of a clip that were decoded: true ones, and as a player shows them."""

    numbers: list[int]
    true: list[Image.Image]
    shown: list

    def luma(self) -> tuple[np.ndarray, np.ndarray]:
        """True luma from 0 to 255 and shown luma in studio range, `[frame, h, w]`."""
        true = np.stack([np.asarray(frame.convert("L")) for frame in self.true])
        return true, np.stack([codecs.luma(frame) for frame in self.shown])

    def rgb(self) -> tuple[np.ndarray, np.ndarray]:
        """Both as RGB, `[frame, h, w, 3]`."""
        true = np.stack([np.asarray(frame) for frame in self.true])
        return true, np.stack([codecs.rgb(frame) for frame in self.shown])


class Photographs:
    """Photographs below a folder by name; the ones used last stay decoded."""

    def __init__(self, root: pathlib.Path, kept: int = 6):
        self._root = root
        self._open = functools.lru_cache(maxsize=kept)(self._decode)

    def __call__(self, name: str) -> Image.Image:
        return self._open(name)

    def _decode(self, name: str) -> Image.Image:
        return Image.open(self._root / name).convert("RGB")


def encode(recipe: Recipe, photographs: scenes.Photographs) -> bytes:
    """The stream of a clip; empty for one that is never encoded."""
    codec = recipe.codec
    if codec["name"] == "none":
        return b""
    return codecs.encode(
        _camera_frames(recipe, photographs),
        codec["name"],
        codecs.Rate(codec["bits"], codec["buffer"], codec["quantizer"]),
        size=tuple(codec["size"]),
        effort=codec["effort"],
        scaler=codec["scaler"],
        lost=codec["lost"],
    )


def rebuild(recipe: Recipe, stream: bytes, photographs: scenes.Photographs) -> Clip:
    """The clip as it was made."""
    if stream:
        decoded = codecs.decode(stream)
    else:
        size, scaler = tuple(recipe.codec["size"]), recipe.codec["scaler"]
        decoded = {
            number: codecs.as_video(pixels, size, scaler)
            for number, pixels in enumerate(_camera_frames(recipe, photographs))
        }
    true = dict(enumerate(scenes.frames(recipe.scene, photographs)))
    numbers = sorted(decoded.keys() & true.keys())
    shown = [codecs.resized(decoded[n], _SIZE, recipe.player) for n in numbers]
    return Clip(numbers, [true[n] for n in numbers], shown)


def _camera_frames(
    recipe: Recipe, photographs: scenes.Photographs
) -> Iterator[np.ndarray]:
    true = scenes.frames(recipe.scene, photographs)
    return camera.frames(true, recipe.scene, recipe.camera, recipe.index)
