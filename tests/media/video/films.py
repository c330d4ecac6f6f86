"""Creates small videos with PyAV."""

import dataclasses
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.codec.context import Flags

WIDTH, HEIGHT = 64, 48
BASE = Fraction(1, 90000)
RATE = 25

# They count time in frames.
_COARSE = ("mpeg4", "mpeg2video")

# Lengths of frames that follow no rate.
UNEVEN = (3600, 3600, 7200, 1800, 5400, 3600, 9000, 3600, 3600, 2700, 3600, 3600)


@dataclasses.dataclass(frozen=True)
class Picture:
    """The parameters of a video stream."""

    pixels: str = "yuv420p"
    codec: str = "libx264"
    options: tuple = (("qp", "0"), ("preset", "ultrafast"))
    width: int = WIDTH
    height: int = HEIGHT
    durations: tuple[int, ...] = (3600,) * 12
    # FFmpeg's numbers: range, matrix, primaries, transfer.
    colour: tuple[int, int, int, int] = (1, 6, 6, 6)
    begin: int = 0

    @property
    def times(self) -> list[int]:
        return [
            self.begin + sum(self.durations[:index])
            for index in range(len(self.durations))
        ]


def frames(picture: Picture) -> list[av.VideoFrame]:
    """Blurred moving shapes, within studio range whatever the tagged range."""
    chance = np.random.default_rng(0)
    phases = chance.uniform(0, 6, 4)
    made = []
    for index, (pts, duration) in enumerate(
        zip(picture.times, picture.durations, strict=True)
    ):
        frame = av.VideoFrame(picture.width, picture.height, picture.pixels)
        ten = 4 if frame.format.components[0].bits > 8 else 1
        for plane in range(len(frame.planes)):
            lines, phase = view(frame, plane), phases[plane]
            y, x = np.mgrid[: lines.shape[0], : lines.shape[1]]
            waves = np.sin(x / 3 + phase + index) * np.cos(y / 4 + phase)
            lines[...] = np.round((128 + 90 * waves) * ten)
        frame.pts, frame.time_base, frame.duration = pts, BASE, duration
        frame.color_range, frame.colorspace = picture.colour[:2]
        frame.color_primaries, frame.color_trc = picture.colour[2:]
        made.append(frame)
    return made


def view(frame: av.VideoFrame, index: int = 0) -> np.ndarray:
    """A plane as an array, as PyAV stores it."""
    plane = frame.planes[index]
    element = np.uint16 if frame.format.components[0].bits > 8 else np.uint8
    lines = np.frombuffer(plane, element).reshape(plane.height, -1)
    return lines[:, : plane.width] if frame.format.is_planar else lines


Extra = Callable[[av.container.OutputContainer, av.VideoStream], Callable | None]


def write(path: Path, picture: Picture = Picture(), *extras: Extra) -> Path:
    """Writes a video.

    Each extra adds something to the container, and may return a function to call once
    the header is written.
    """
    with av.open(str(path), "w") as out:
        stream = out.add_stream(
            picture.codec,
            rate=RATE,
            width=picture.width,
            height=picture.height,
            time_base=Fraction(1, RATE) if picture.codec in _COARSE else BASE,
            options=dict(picture.options),
        )
        context = stream.codec_context
        context.pix_fmt = picture.pixels
        context.flags |= int(Flags.frame_duration)
        context.color_range, context.colorspace = picture.colour[:2]
        context.color_primaries, context.color_trc = picture.colour[2:]
        later = [extra(out, stream) for extra in extras]
        for frame in frames(picture):
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        for call in later:
            if call:
                call()
    return path


def read(path: Path, to_the_end: bool = True) -> list[av.VideoFrame]:
    """All frames of the first video stream, or those before damage."""
    found = []
    with av.open(str(path)) as container:
        try:
            for frame in container.decode(container.streams.video[0]):
                found.append(frame)
        except av.InvalidDataError:
            if to_the_end:
                raise
    return found


def packets(path: Path, kind: str, which: int = 0) -> list[tuple]:
    """The packets of a stream: seconds, and bytes."""
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[which]
        return [
            (packet.pts * packet.time_base, bytes(packet))
            for packet in container.demux(stream)
            if packet.size
        ]


def sound(seconds: float = 0.5, codec: str = "aac") -> Extra:
    """Adds a tone."""

    def add(out, _):
        stream = out.add_stream(codec, rate=48000, layout="mono")
        stream.metadata["language"] = "deu"

        def encode():
            size = stream.codec_context.frame_size or 1024
            for begin in range(0, int(seconds * 48000), size):
                tone = np.sin(np.arange(begin, begin + size) / 17)
                frame = av.AudioFrame.from_ndarray(
                    tone[None].astype(np.float32), "fltp", "mono"
                )
                frame.sample_rate, frame.pts = 48000, begin
                frame.time_base = Fraction(1, 48000)
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))

        return encode

    return add


def subtitles(codec: str, lines: list[tuple[int, int, str]]) -> Extra:
    """Adds lines of text: milliseconds from, to, words."""

    def add(out, _):
        stream = out.add_stream(codec)
        stream.metadata["language"] = "eng"
        context = stream.codec_context
        context.subtitle_header = _ASS.encode()
        context.time_base = stream.time_base = Fraction(1, 1000)

        def encode():
            from av.subtitles.subtitle import SubtitleSet

            for begin, end, words in lines:
                text = f"0,0,Default,,0,0,0,,{words}".encode()
                packet = context.encode_subtitle(
                    SubtitleSet.create(text, 0, end - begin)
                )
                packet.pts = packet.dts = begin
                packet.duration, packet.time_base = end - begin, Fraction(1, 1000)
                packet.stream = stream
                out.mux(packet)

        return encode

    return add


_ASS = (
    "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, "
    "Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, "
    "Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, "
    "Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding\n"
    "Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,"
    "10,10,10,0\n\n[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, "
    "MarginR, MarginV, Effect, Text\n"
)
