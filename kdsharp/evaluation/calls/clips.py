"""True frames: a window over a photograph, still or moving, a video, a page of text."""

import dataclasses
import functools
import hashlib
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from kdsharp.data import decoding, folder
from kdsharp.data.clips import codecs, screens
from kdsharp.data.decoding import BadPictureError
from kdsharp.errors import UserError

STILL, PAN, FILM = "still", "pan", "film"
MOTIONS = (STILL, PAN, FILM)

VIDEOS = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm", ".y4m")

# Encoders and half size work on whole blocks; smaller windows say little of calls.
_MULTIPLE, LEAST_SIDE = 16, 64
# Pages have room for what is on them from this size on.
_PAGE = (480, 320)
# Less of a reduction would soften the picture without making it cleaner.
_WORTH_REDUCING = 1.25

Frames = list[np.ndarray]
"""RGB uint8; frames that do not change are the same object."""


@dataclasses.dataclass(frozen=True)
class Clip:
    """True frames by name; `digest` tells what they are made of."""

    name: str
    motion: str
    size: tuple[int, int]
    digest: str
    load: Callable[[], Frames]
    is_page: bool = False


@dataclasses.dataclass(frozen=True)
class Window:
    """What is seen of a picture: at most `size`, for `frames` frames.

    A pan moves by `pan` pixels a frame.
    """

    size: tuple[int, int] = (368, 448)
    frames: int = 45
    pan: float = 2.0

    @property
    def way(self) -> float:
        """How far a pan goes."""
        return abs(self.pan) * (self.frames - 1)

    @property
    def motions(self) -> tuple[str, ...]:
        """How it is seen: where it would not move, still alone."""
        return (STILL, PAN) if self.pan else (STILL,)


def find(path: Path, window: Window) -> tuple[list[Clip], dict[str, str]]:
    """The clips of a folder or of a file, and why other files there are left out."""
    if path.is_file():
        names, root = [path.name], path.parent
    else:
        root = path
        names = sorted([*folder.find_pictures(path), *_films(path)], key=folder.natural)
    if not names:
        raise UserError(f"the folder {path} holds no pictures or videos")
    found, left_out = [], {}
    for name in names:
        try:
            if Path(name).suffix.lower() in VIDEOS:
                found.append(_film(root / name, name, window))
            else:
                found += _of_picture(root / name, name, window)
        except BadPictureError as error:
            left_out[name] = str(error)
    return found, left_out


def pages(count: int, window: Window) -> list[Clip]:
    """Pages of text that nobody scrolls, and the same ones scrolled."""
    # Text is scrolled by whole rows.
    window = dataclasses.replace(window, pan=math.ceil(abs(window.pan)))
    width, height = (side // _MULTIPLE * _MULTIPLE for side in window.size)
    page = (max(width, _PAGE[0]), max(height + window.way, _PAGE[1]))
    found = []
    for seed in range(count):
        digest = hashlib.sha256(screens.page(seed, page).tobytes()).hexdigest()
        for motion in window.motions:
            load = functools.partial(
                _page_frames, seed, page, (width, height), window, motion
            )
            found.append(
                Clip(f"page {seed}", motion, (width, height), digest, load, True)
            )
    return found


def _films(root: Path) -> list[str]:
    return [
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.suffix.lower() in VIDEOS and path.is_file() and path.name[0] != "."
    ]


def _of_picture(path: Path, name: str, window: Window) -> list[Clip]:
    height, width = decoding.size(path)
    reduced, size, axis = _fitted((width, height), window)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return [
        Clip(
            name,
            motion,
            size,
            digest,
            functools.partial(
                _picture_frames, path, reduced, size, window, motion, axis
            ),
        )
        for motion in window.motions
    ]


def _fitted(
    picture: tuple[int, int], window: Window
) -> tuple[tuple[int, int], tuple[int, int], int]:
    """To what size a picture is reduced, the window on it, and the axis of its pan.

    The pan goes along the axis that leaves the larger window.
    """
    ways = [(window.way, 0.0), (0.0, window.way)]
    options = []
    for axis, way in enumerate(ways):
        factor = min(
            side / (wanted + w)
            for side, wanted, w in zip(picture, window.size, way, strict=True)
        )
        reduced = picture
        if factor >= _WORTH_REDUCING:
            reduced = tuple(round(side / factor) for side in picture)
        size = tuple(
            int(min(wanted, side - w)) // _MULTIPLE * _MULTIPLE
            for side, wanted, w in zip(reduced, window.size, way, strict=True)
        )
        options.append(
            (size[0] * size[1] if min(size) > 0 else 0, -axis, reduced, size)
        )
    _, axis, reduced, size = max(options)
    _check(size, picture, window)
    return reduced, size, -axis


def _check(size: Sequence[int], given: Sequence[int], window: Window) -> None:
    if min(size) < LEAST_SIDE:
        raise BadPictureError(
            f"{given[0]}x{given[1]} pixels leave no window of {LEAST_SIDE}x"
            f"{LEAST_SIDE} for {window.frames} frames"
        )


def _picture_frames(path, reduced, size, window, motion, axis) -> Frames:
    image = Image.fromarray(decoding.read(path))
    if image.size != tuple(reduced):
        image = image.resize(reduced, Image.Resampling.LANCZOS)
    return _moved(image, size, window, motion, axis)


def _page_frames(seed, page, size, window, motion) -> Frames:
    return _moved(screens.page(seed, page), size, window, motion, 1)


def _moved(image: Image.Image, size, window: Window, motion: str, axis: int) -> Frames:
    """The window in the middle, or as it moves over the middle."""
    corner = [(whole - own) // 2 for whole, own in zip(image.size, size, strict=True)]
    if motion == STILL:
        return [_cut(image, corner, size)] * window.frames
    corner[axis] -= window.pan * (window.frames - 1) / 2
    if window.pan == int(window.pan):
        corner[axis] = int(corner[axis])
    corner[axis] = max(corner[axis], window.way if window.pan < 0 else 0)
    frames = []
    for _ in range(window.frames):
        frames.append(_cut(image, corner, size))
        corner[axis] += window.pan
    return frames


def _cut(image: Image.Image, corner, size) -> np.ndarray:
    box = (*corner, *(at + side for at, side in zip(corner, size, strict=True)))
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC, box=box))


def _film(path: Path, name: str, window: Window) -> Clip:
    av = codecs.require_av()
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise BadPictureError("it holds no video")
            context = container.streams.video[0].codec_context
            given = (context.width, context.height)
    except av.FFmpegError as error:
        raise BadPictureError(
            f"not a video that can be read: {error.strerror}"
        ) from error
    still = dataclasses.replace(window, pan=0.0)
    reduced, size, _ = _fitted(given, still)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    load = functools.partial(_film_frames, path, reduced, size, window)
    return Clip(name, FILM, size, digest, load)


def _film_frames(path: Path, reduced, size, window: Window) -> Frames:
    av = codecs.require_av()
    frames = []
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                image = Image.fromarray(frame.to_ndarray(format="rgb24"))
                if image.size != tuple(reduced):
                    image = image.resize(reduced, Image.Resampling.LANCZOS)
                frames += _moved(
                    image, size, dataclasses.replace(window, frames=1), STILL, 0
                )
                if len(frames) == window.frames:
                    break
    except av.FFmpegError as error:
        raise BadPictureError(
            f"not a video that can be read: {error.strerror}"
        ) from error
    if len(frames) < window.frames:
        raise BadPictureError(
            f"it has {len(frames)} frames, not the {window.frames} that are wanted"
        )
    return frames
