"""Rebuilds clips: true frames from the originals, decoded ones from the stream."""

import collections
import dataclasses
import os
import pathlib
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from kdsharp.data import decoding
from kdsharp.data.clips import camera, codecs, footage, scenes
from kdsharp.data.clips.recipes import HEIGHT, WIDTH, Recipe

_SIZE = (WIDTH, HEIGHT)


@dataclasses.dataclass(frozen=True)
class Clip:
    """Frames of a clip: their numbers, the true ones, and those that a player shows."""

    numbers: list[int]
    true: list[Image.Image]
    shown: list

    def luma(self) -> tuple[np.ndarray, np.ndarray]:
        """True luma from 0 to 255 and shown luma in studio range, `[frame, h, w]`."""
        true = np.stack([np.asarray(frame.convert("L")) for frame in self.true])
        return true, np.stack([codecs.luma(frame) for frame in self.shown])

    def rgb(self) -> tuple[np.ndarray, np.ndarray]:
        """True and shown frames as RGB, `[frame, h, w, 3]`."""
        true = np.stack([np.asarray(frame) for frame in self.true])
        return true, np.stack([codecs.rgb(frame) for frame in self.shown])


class OriginalFiles:
    """Reads photographs and videos below two folders, with a cache of photographs.

    The cache holds at most `cache_bytes`, but always the latest two photographs, which
    one clip may alternate between.
    """

    def __init__(
        self,
        photographs: str | os.PathLike[str],
        videos: str | os.PathLike[str] = "",
        *,
        cache_bytes: int = 1 << 28,
    ):
        self._photographs = pathlib.Path(photographs)
        self._videos = pathlib.Path(videos)
        self._cache_bytes = cache_bytes
        self._reset_cache()

    def video(self, name: str, place: float) -> Iterator[Image.Image]:
        """Yields frames of a video, from a position between 0 and 1 on."""
        return footage.frames(self._videos / name, place)

    def photograph(self, name: str) -> Image.Image:
        """Decodes a photograph, upright RGB."""
        with self._lock:
            if name in self._kept:
                self._kept.move_to_end(name)
                return self._kept[name]
        try:
            image = decoding.decode(self._photographs / name).image
        except decoding.BadPictureError as error:
            raise decoding.BadPictureError(f"{name}: {error}") from error
        with self._lock:
            if name not in self._kept:
                self._kept[name] = image
                self._bytes += 3 * image.width * image.height
            while self._bytes > self._cache_bytes and len(self._kept) > 2:
                _, old = self._kept.popitem(last=False)
                self._bytes -= 3 * old.width * old.height
        return image

    def __getstate__(self) -> dict[str, Any]:
        own = ("_photographs", "_videos", "_cache_bytes")
        return {name: getattr(self, name) for name in own}

    def __setstate__(self, state: dict[str, Any]):
        self.__dict__.update(state)
        self._reset_cache()

    def _reset_cache(self):
        self._lock = threading.Lock()
        self._kept: collections.OrderedDict[str, Image.Image] = (
            collections.OrderedDict()
        )
        self._bytes = 0


def encode(recipe: Recipe, originals: scenes.Originals) -> bytes:
    """Encodes a clip; empty for recipes without a codec."""
    codec = recipe.codec
    if codec["name"] == "none":
        return b""
    return codecs.encode(
        _camera_frames(recipe, originals),
        codec["name"],
        codecs.Rate(codec["bits"], codec["buffer"], codec["quantizer"]),
        size=tuple(codec["size"]),
        effort=codec["effort"],
        scaler=codec["scaler"],
        lost=codec["lost"],
    )


def rebuild(recipe: Recipe, stream: bytes, originals: scenes.Originals) -> Clip:
    """Renders the true frames of a clip and decodes its stream."""
    if stream:
        decoded = codecs.decode(stream)
    else:
        size, scaler = tuple(recipe.codec["size"]), recipe.codec["scaler"]
        decoded = {
            number: codecs.to_video_frame(pixels, size, scaler)
            for number, pixels in enumerate(_camera_frames(recipe, originals))
        }
    true = dict(enumerate(scenes.frames(recipe.scene, originals)))
    numbers = sorted(decoded.keys() & true.keys())
    shown = [codecs.resize(decoded[n], _SIZE, recipe.player) for n in numbers]
    return Clip(numbers, [true[n] for n in numbers], shown)


def _camera_frames(recipe: Recipe, originals: scenes.Originals) -> Iterator[np.ndarray]:
    true = scenes.frames(recipe.scene, originals)
    return camera.frames(true, recipe.scene, recipe.camera, recipe.index)
