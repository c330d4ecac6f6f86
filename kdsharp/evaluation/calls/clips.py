"""Clips of true frames from photographs (still or panned), videos and pages of text."""

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

# Sides are multiples of blocks at half size; smaller windows would not be
# representative.
_MULTIPLE, MIN_SIDE = 16, 64
# The minimal size of a page with all of its content.
_PAGE = (480, 320)
# Downscaling by less would blur the picture without removing noise.
_MIN_DOWNSCALE = 1.25

Frames = list[np.ndarray]
"""RGB uint8 frames; unchanged frames are the same object."""


@dataclasses.dataclass(frozen=True)
class LadderClip:
    """A clip of true frames, loaded on demand; `digest` identifies its contents."""

    name: str
    motion: str
    size: tuple[int, int]
    digest: str
    load: Callable[[], Frames]
    is_page: bool = False


@dataclasses.dataclass(frozen=True)
class Window:
    """The window on a picture: maximal size, frames, and pan in pixels per frame."""

    size: tuple[int, int] = (368, 448)
    frames: int = 45
    pan: float = 2.0

    @property
    def pan_length(self) -> float:
        """The distance of a pan in pixels."""
        return abs(self.pan) * (self.frames - 1)

    @property
    def motions(self) -> tuple[str, ...]:
        """The motions of a picture: still, and panned unless the pan is 0."""
        return (STILL, PAN) if self.pan else (STILL,)


def find(path: Path, window: Window) -> tuple[list[LadderClip], dict[str, str]]:
    """Finds the clips of a folder or file, and the reasons for files left out."""
    if path.is_file():
        names, root = [path.name], path.parent
    else:
        root = path
        names = sorted(
            [*folder.find_pictures(path), *_find_videos(path)], key=folder.natural
        )
    if not names:
        raise UserError(f"the folder {path} holds no pictures or videos")
    clips, left_out = [], {}
    for name in names:
        try:
            if Path(name).suffix.lower() in VIDEOS:
                clips.append(_video_clip(root / name, name, window))
            else:
                clips += _picture_clips(root / name, name, window)
        except BadPictureError as error:
            left_out[name] = str(error)
    return clips, left_out


def pages(count: int, window: Window) -> list[LadderClip]:
    """Creates clips of pages of text, still and scrolled."""
    # Text is scrolled by whole pixels.
    window = dataclasses.replace(window, pan=math.ceil(abs(window.pan)))
    width, height = (side // _MULTIPLE * _MULTIPLE for side in window.size)
    page = (max(width, _PAGE[0]), max(height + int(window.pan_length), _PAGE[1]))
    clips = []
    for seed in range(count):
        digest = hashlib.sha256(screens.page(seed, page).tobytes()).hexdigest()
        for motion in window.motions:
            load = functools.partial(
                _page_frames, seed, page, (width, height), window, motion
            )
            clips.append(
                LadderClip(f"page {seed}", motion, (width, height), digest, load, True)
            )
    return clips


def _find_videos(root: Path) -> list[str]:
    return [
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.suffix.lower() in VIDEOS and path.is_file() and path.name[0] != "."
    ]


def _picture_clips(path: Path, name: str, window: Window) -> list[LadderClip]:
    height, width = decoding.size(path)
    reduced, size, axis = _fit_window((width, height), window)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return [
        LadderClip(
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


def _fit_window(
    picture: tuple[int, int], window: Window
) -> tuple[tuple[int, int], tuple[int, int], int]:
    """Computes the downscaled size, the window size, and the axis of the pan.

    The pan is along the axis that allows the larger window.
    """
    pans = [(window.pan_length, 0.0), (0.0, window.pan_length)]
    options = []
    for axis, pan in enumerate(pans):
        factor = min(
            side / (target + w)
            for side, target, w in zip(picture, window.size, pan, strict=True)
        )
        reduced = picture
        if factor >= _MIN_DOWNSCALE:
            reduced = tuple(round(side / factor) for side in picture)
        size = tuple(
            int(min(target, side - w)) // _MULTIPLE * _MULTIPLE
            for side, target, w in zip(reduced, window.size, pan, strict=True)
        )
        options.append(
            (size[0] * size[1] if min(size) > 0 else 0, -axis, reduced, size)
        )
    _, axis, reduced, size = max(options)
    _check(size, picture, window)
    return reduced, size, -axis


def _check(size: Sequence[int], picture: Sequence[int], window: Window) -> None:
    if min(size) < MIN_SIDE:
        raise BadPictureError(
            f"{picture[0]}x{picture[1]} pixels is too small for a window of {MIN_SIDE}x"
            f"{MIN_SIDE} over {window.frames} frames"
        )


def _picture_frames(path, reduced, size, window, motion, axis) -> Frames:
    image = Image.fromarray(decoding.read(path))
    if image.size != tuple(reduced):
        image = image.resize(reduced, Image.Resampling.LANCZOS)
    return _window_frames(image, size, window, motion, axis)


def _page_frames(seed, page, size, window, motion) -> Frames:
    return _window_frames(screens.page(seed, page), size, window, motion, 1)


def _window_frames(
    image: Image.Image, size, window: Window, motion: str, axis: int
) -> Frames:
    """Crops the frames of a centred window, still or panned over the centre."""
    corner = [(whole - own) // 2 for whole, own in zip(image.size, size, strict=True)]
    if motion == STILL:
        return [_crop(image, corner, size)] * window.frames
    corner[axis] -= window.pan * (window.frames - 1) / 2
    if window.pan == int(window.pan):
        corner[axis] = int(corner[axis])
    corner[axis] = max(corner[axis], window.pan_length if window.pan < 0 else 0)
    frames = []
    for _ in range(window.frames):
        frames.append(_crop(image, corner, size))
        corner[axis] += window.pan
    return frames


def _crop(image: Image.Image, corner, size) -> np.ndarray:
    box = (*corner, *(at + side for at, side in zip(corner, size, strict=True)))
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC, box=box))


def _video_clip(path: Path, name: str, window: Window) -> LadderClip:
    av = codecs.require_av()
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise BadPictureError("it holds no video")
            context = container.streams.video[0].codec_context
            frame_size = (context.width, context.height)
    except av.FFmpegError as error:
        raise BadPictureError(
            f"not a video that can be read: {error.strerror}"
        ) from error
    still = dataclasses.replace(window, pan=0.0)
    reduced, size, _ = _fit_window(frame_size, still)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    load = functools.partial(_video_frames, path, reduced, size, window)
    return LadderClip(name, FILM, size, digest, load)


def _video_frames(path: Path, reduced, size, window: Window) -> Frames:
    av = codecs.require_av()
    frames = []
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                image = Image.fromarray(frame.to_ndarray(format="rgb24"))
                if image.size != tuple(reduced):
                    image = image.resize(reduced, Image.Resampling.LANCZOS)
                frames += _window_frames(
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
            f"it has {len(frames)} frames, but {window.frames} are needed"
        )
    return frames
