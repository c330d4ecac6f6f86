"""The ladder: all combinations of clip, source, rate and codec."""

import dataclasses
import functools
import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
import scipy.ndimage

from kdsharp.data.clips import codecs
from kdsharp.errors import UserError
from kdsharp.evaluation.calls.clips import MIN_SIDE, Frames, LadderClip, Window

SHARP, HALF, SOFT, TEXT = "sharp", "half", "soft", "text"
SOURCES = (SHARP, HALF, SOFT)
PLAYERS = ("bilinear", "bicubic", "lanczos")
UNCODED = "none"

# Rates are for 368x448 pixels; other sizes get as many bits per pixel.
_AREA = 368 * 448
_SIGMA = 1.5
_SCALER = "BICUBIC"
_EFFORT = 1
# The quality of the first frames of a stream is not representative.
FIRST_SCORED = 5
MIN_FRAMES = 16


@dataclasses.dataclass(frozen=True)
class Ladder:
    """The axes of the ladder; rates are in kbit/s, `player` is the upscaling filter."""

    sources: tuple[str, ...] = SOURCES
    rates: tuple[int, ...] = (86, 172, 345)
    codecs: tuple[str, ...] = ("h264", "vp8")
    player: str = "bilinear"
    window: Window = dataclasses.field(default_factory=Window)

    def __post_init__(self):
        for kind, names, known in (
            ("source", self.sources, SOURCES),
            ("codec", self.codecs, tuple(codecs.CODECS)),
            ("player", (self.player,), PLAYERS),
        ):
            for name in names:
                if name not in known:
                    raise UserError(
                        f"unknown {kind} {name!r}; choose one of: {', '.join(known)}"
                    )
        for rate in self.rates:
            if rate < 1:
                raise UserError(f"--rates must be at least 1 kbit/s, not {rate}")
        for kind in ("sources", "rates", "codecs"):
            if not getattr(self, kind):
                raise UserError(f"--{kind} is empty: give at least one")
        if not math.isfinite(self.window.pan):
            raise UserError(
                "--pan must be a number of pixels per frame, such as 2, not "
                f"{self.window.pan}"
            )
        if min(self.window.size) < MIN_SIDE:
            width, height = self.window.size
            raise UserError(
                f"a window of {width}x{height} is too small: give {MIN_SIDE}x"
                f"{MIN_SIDE} or more"
            )
        if self.window.frames < MIN_FRAMES:
            raise UserError(
                f"--frames must be at least {MIN_FRAMES}, not {self.window.frames}"
            )

    def groups(self, clips: Sequence[LadderClip]) -> list[list["Cell"]]:
        """Creates the cells, grouped by the frames that are encoded."""
        return [
            list(self._cells(clip, source))
            for clip in clips
            for source in ([TEXT] if clip.is_page else self.sources)
        ]

    def _cells(self, clip: LadderClip, source: str) -> Iterator["Cell"]:
        if source == TEXT:
            yield Cell(clip, source, 0, UNCODED, self.player, self.window)
        for rate in self.rates:
            for codec in self.codecs:
                yield Cell(clip, source, rate, codec, self.player, self.window)


@dataclasses.dataclass(frozen=True)
class Cell:
    """One combination of clip, source, rate and codec."""

    clip: LadderClip
    source: str
    rate: int
    codec: str
    player: str
    window: Window

    @property
    def bits(self) -> int:
        """Bit/s, scaled from 368x448 pixels to the size of the clip."""
        width, height = self.clip.size
        return round(1000 * self.rate * width * height / _AREA)

    @property
    def grid(self) -> int:
        """The side of a coding block in shown pixels, for the blocking measure."""
        return 16 if self.source == HALF else 8

    @property
    def encoding(self) -> codecs.Rate:
        """The rate control of the encoder."""
        return codecs.Rate(bits=self.bits)

    @property
    def options(self) -> dict[str, str]:
        """The options of the encoder."""
        if self.codec == UNCODED:
            return {}
        return dict(codecs.CODECS[self.codec].options(self.encoding, _EFFORT))

    @property
    def name(self) -> str:
        """A file name that identifies the cell and its settings."""
        made_of = {
            "clip": self.clip.digest,
            "motion": self.clip.motion,
            "size": self.clip.size,
            "window": dataclasses.asdict(self.window),
            "source": self.source,
            "bits": self.bits,
            "codec": self.codec,
            "options": self.options,
            "player": self.player if self.source == HALF else None,
        }
        digest = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode())
        name = "".join(c if c.isalnum() else "-" for c in self.clip.name)[-60:]
        words = (name, self.clip.motion, self.source, str(self.rate), self.codec)
        return "-".join((*words, digest.hexdigest()[:12]))


def camera_frames(frames: Frames, source: str) -> Frames:
    """The frames of the camera: true ones, or behind a soft lens."""
    if source != SOFT:
        return frames
    softened: dict[int, np.ndarray] = {}
    for frame in frames:
        if id(frame) not in softened:
            softened[id(frame)] = soften(frame)
    return [softened[id(frame)] for frame in frames]


def soften(frame: np.ndarray) -> np.ndarray:
    """Blurs a frame by a soft lens."""
    blurred = scipy.ndimage.gaussian_filter(
        frame.astype(np.float32), (_SIGMA, _SIGMA, 0), mode="nearest"
    )
    return np.clip(np.rint(blurred), 0, 255).astype(np.uint8)


def encode(cell: Cell, frames: Frames) -> bytes:
    """Encodes the frames of the camera; empty for uncoded cells."""
    if cell.codec == UNCODED:
        return b""
    width, height = cell.clip.size
    size = (width // 2, height // 2) if cell.source == HALF else (width, height)
    return codecs.encode(
        frames, cell.codec, cell.encoding, size=size, effort=_EFFORT, scaler=_SCALER
    )


def play(cell: Cell, stream: bytes, frames: Frames) -> list:
    """Decodes to the frames that a player shows; it repeats frames for missing ones."""
    size = cell.clip.size
    if cell.codec == UNCODED:
        return [_uncoded_frame(frame, size, at) for at, frame in enumerate(frames)]
    decoded = codecs.decode(stream)
    if 0 not in decoded:
        raise UserError(f"the first frame of {cell.codec} cannot be decoded")
    played = []
    for number in range(len(frames)):
        frame = decoded.get(number)
        played.append(
            codecs.resize(frame, size, cell.player.upper()) if frame else played[-1]
        )
    return played


def _uncoded_frame(frame: np.ndarray, size: tuple[int, int], number: int):
    """Converts a frame to a video frame without encoding it."""
    video = codecs.to_video_frame(frame, size, _SCALER)
    video.pts, video.time_base = number, Fraction(1, codecs.FPS)
    return video


def true_luma(frames: Frames, size: tuple[int, int]) -> np.ndarray:
    """Converts true frames to luma in studio range, uint8 `[frame, h, w]`."""

    @functools.cache
    def plane(place: int) -> np.ndarray:
        return codecs.luma(codecs.to_video_frame(frames[place], size, _SCALER))

    first = {id(frame): place for place, frame in reversed(list(enumerate(frames)))}
    return np.stack([plane(first[id(frame)]) for frame in frames])
