"""Videos as a source of true frames: finding usable ones, and reading frames."""

import logging
import os
import pathlib
from collections.abc import Iterator

from PIL import Image
from tqdm import tqdm

from kdsharp.data import decoding, folder
from kdsharp.data.clips.codecs import require_av
from kdsharp.data.clips.recipes import FRAMES, HEIGHT, MIN_DOWNSCALE, WIDTH

logger = logging.getLogger(__name__)

_SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".ts", ".webm", ".y4m")


def find(root: pathlib.Path) -> dict[str, int]:
    """Finds videos that are long and large enough: file sizes by relative name."""
    folder.check(root)
    names = sorted(
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.suffix.lower() in _SUFFIXES and not path.name.startswith(".")
    )
    usable = {}
    for name in tqdm(names, desc="Opening videos", delay=1, leave=False):
        try:
            _check(root / name)
        except decoding.BadPictureError as error:
            logger.warning("skipping %s: %s", root / name, error)
            continue
        usable[name] = os.path.getsize(root / name)
    return usable


def frames(path: pathlib.Path, place: float) -> Iterator[Image.Image]:
    """Yields the frames of a clip, from a position between 0 and 1 on."""
    av = require_av()
    try:
        with av.open(path) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            start = place * max(0.0, _seconds(container) - _clip_seconds(stream) - 0.1)
            container.seek(int(start * av.time_base))
            count = 0
            for frame in container.decode(stream):
                if frame.time is None or frame.time < start:
                    continue
                yield frame.to_image()
                count += 1
                if count == FRAMES:
                    return
    except (av.error.FFmpegError, IndexError) as error:
        raise decoding.BadPictureError(f"{path.name}: {error}") from error
    raise decoding.BadPictureError(f"{path.name}: only {count} frames could be decoded")


def _check(path: pathlib.Path) -> None:
    """Raises BadPictureError for a video that is unreadable, too small or too short."""
    av = require_av()
    try:
        with av.open(path) as container:
            stream = container.streams.video[0]
            width, height = stream.codec_context.width, stream.codec_context.height
            seconds, needed = _seconds(container), _clip_seconds(stream) + 0.2
    except (av.error.FFmpegError, IndexError) as error:
        raise decoding.BadPictureError(f"not a video: {error}") from error
    if width < MIN_DOWNSCALE * WIDTH or height < MIN_DOWNSCALE * HEIGHT:
        raise decoding.BadPictureError(f"{width}x{height} is too small")
    if seconds < needed:
        raise decoding.BadPictureError(f"{seconds:.1f} seconds is too short")


def _seconds(container) -> float:
    return (container.duration or 0) / 1e6


def _clip_seconds(stream) -> float:
    """Duration of the frames of a clip in seconds."""
    return FRAMES / float(stream.average_rate or 30)
