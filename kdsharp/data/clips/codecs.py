"""Encoders with the settings of conferencing apps: no lookahead, constant bitrate.

`encode` returns a Matroska file as bytes, `decode` its frames by number. Both use one
thread, so that streams are reproducible.
"""

import dataclasses
import io
import os
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from kdsharp.base import choices, optional, priorities

if TYPE_CHECKING:
    import av

FPS = 30


class RefusedError(Exception):
    """An encoder that is missing or rejects its settings."""


@dataclasses.dataclass(frozen=True)
class Rate:
    """Rate control: a constant bitrate, or a constant quantiser.

    `bits` is in bit/s; `buffer` is the size of the decoder's buffer in seconds.
    `quantizer` is from 0, the encoder's finest, to 1, its coarsest.
    """

    bits: int | None = None
    buffer: float = 1.0
    quantizer: float | None = None

    def scaled(self, low: int, high: int) -> int:
        """The quantiser on the scale of an encoder."""
        assert self.quantizer is not None
        return round(low + self.quantizer * (high - low))


@dataclasses.dataclass(frozen=True)
class Codec:
    """A PyAV encoder and its options for a rate and an effort, 0 (fast) to 2."""

    encoder: str
    options: Callable[[Rate, int], Mapping[str, str]]


def _h264(rate: Rate, effort: int) -> dict[str, str]:
    options = {
        "preset": ("ultrafast", "superfast", "veryfast")[effort],
        "tune": "zerolatency",
        "profile": "baseline" if effort < 2 else "main",
        "g": "3000",
        "threads": "1",
    }
    if rate.bits is None:
        return options | {"qp": str(rate.scaled(20, 46))}
    return options | _vbv(rate)


def _hevc(rate: Rate, effort: int) -> dict[str, str]:
    params = "log-level=none:pools=none:frame-threads=1:keyint=3000"
    options = {"preset": ("ultrafast", "ultrafast", "superfast")[effort]}
    options |= {"tune": "zerolatency"}
    if rate.bits is None:
        params += f":qp={rate.scaled(20, 46)}"
    else:
        kilobits = max(1, rate.bits // 1000)
        buffer = max(1, round(kilobits * rate.buffer))
        params += f":vbv-maxrate={kilobits}:vbv-bufsize={buffer}"
    return options | {"x265-params": params}


def _vp8(rate: Rate, effort: int) -> dict[str, str]:
    # Negative values fix the speed; positive ones let libvpx adapt it to the clock.
    return _vpx(rate) | {"cpu-used": str((-12, -8, -5)[effort])}


def _vp9(rate: Rate, effort: int) -> dict[str, str]:
    return _vpx(rate) | {"cpu-used": str((8, 7, 6)[effort]), "aq-mode": "3"}


def _vpx(rate: Rate) -> dict[str, str]:
    options = {
        "deadline": "realtime",
        "lag-in-frames": "0",
        "error-resilient": "1",
        "g": "3000",
        "threads": "1",
    }
    if rate.bits is None:
        fixed = str(rate.scaled(10, 60))
        return options | {"qmin": fixed, "qmax": fixed, "crf": fixed}
    return options | _vbv(rate) | {"minrate": f"{rate.bits}", "qmin": "2"}


def _av1(rate: Rate, effort: int) -> dict[str, str]:
    # At a constant rate, SVT-AV1 rejects sides below 64 pixels. Without rtc=1, version
    # 4.1 deadlocks with low delay on a busy machine.
    params = "lp=1:pred-struct=1:rtc=1:tile-columns=0:keyint=-1:aq-mode=2"
    options = {"preset": str((12, 11, 10)[effort])}
    if rate.bits is None:
        return options | {"crf": str(rate.scaled(25, 62)), "svtav1-params": params}
    params += f":rc=2:buf-sz={round(1000 * rate.buffer)}"
    return options | {"svtav1-params": params}


def _vbv(rate: Rate) -> dict[str, str]:
    assert rate.bits is not None
    return {"maxrate": f"{rate.bits}", "bufsize": f"{round(rate.bits * rate.buffer)}"}


CODECS: dict[str, Codec] = {
    "h264": Codec("libx264", _h264),
    "vp8": Codec("libvpx", _vp8),
    "vp9": Codec("libvpx-vp9", _vp9),
    "av1": Codec("libsvtav1", _av1),
    "hevc": Codec("libx265", _hevc),
}


def encode(
    frames: Iterable[np.ndarray],
    codec: str,
    rate: Rate,
    *,
    size: tuple[int, int],
    effort: int = 1,
    scaler: str = "BICUBIC",
    lost: Iterable[int] = (),
) -> bytes:
    """Encodes RGB uint8 frames, scaled to `size` (width, height), as Matroska.

    The packets of the frames `lost` are dropped.
    """
    av = require_av()
    if codec not in CODECS:
        raise choices.unknown("codec", codec, CODECS)
    entry = CODECS[codec]
    try:
        return _encode(
            entry.encoder,
            entry.options(rate, effort),
            rate.bits,
            (to_video_frame(pixels, size, scaler) for pixels in frames),
            size,
            frozenset(lost),
        )
    except av.codec.codec.UnknownCodecError as error:
        raise RefusedError(f"{codec}: PyAV has no encoder {entry.encoder}") from error
    except av.error.FFmpegError as error:
        said = error.log[2] if error.log else ""
        reason = " ".join(f"{error.strerror} {said}".split())
        raise RefusedError(f"{codec}: {entry.encoder}: {reason}") from error


def _encode(
    encoder: str,
    options: Mapping[str, str],
    bits: int | None,
    frames: Iterable["av.VideoFrame"],
    size: tuple[int, int],
    lost: frozenset[int],
) -> bytes:
    av = require_av()
    file = io.BytesIO()
    # Without it, Matroska writes a random identifier.
    reproducible = {"fflags": "+bitexact"}
    with av.open(file, "w", format="matroska", options=reproducible) as container:
        stream = container.add_stream(encoder, rate=FPS, options=dict(options))
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        if bits is not None:
            stream.bit_rate = bits
        with priorities.kept():
            stream.codec_context.open()
        for number, frame in enumerate(frames):
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            for packet in stream.encode(frame):
                if _number(packet) not in lost:
                    container.mux(packet)
        for packet in stream.encode():
            if _number(packet) not in lost:
                container.mux(packet)
    return file.getvalue()


def decode(stream: bytes) -> dict[int, "av.VideoFrame"]:
    """Decodes a stream to frames by number; frames of lost packets may be missing."""
    av = require_av()
    frames = {}
    with av.open(io.BytesIO(stream)) as container:
        video = container.streams.video[0]
        video.codec_context.thread_count = 1
        for packet in container.demux(video):
            try:
                decoded = packet.decode()
            except av.error.InvalidDataError:
                continue  # After a lost packet, the decoder may fail on others.
            for frame in decoded:
                frames[_number(frame)] = frame
    return frames


def resize(
    frame: "av.VideoFrame", size: tuple[int, int], scaler: str
) -> "av.VideoFrame":
    """Scales a frame to `size` (width, height), as a player does."""
    if (frame.width, frame.height) == tuple(size):
        return frame
    return frame.reformat(width=size[0], height=size[1], interpolation=scaler)


def luma(frame: "av.VideoFrame") -> np.ndarray:
    """The Y plane in studio range, uint8 `[height, width]`."""
    return _plane(frame, 0).copy()


def rgb(frame: "av.VideoFrame") -> np.ndarray:
    """Converts a 4:2:0 frame to RGB, by BT.601 from studio range.

    In floats: FFmpeg's own conversion darkens luma by a level, which networks would
    learn to undo.
    """
    y, u, v = (_plane(frame, number).astype(np.float32) for number in range(3))
    y = (y - 16) * np.float32(255 / 219)
    blue, red = (
        ((x - 128) * np.float32(255 / 224)).repeat(2, 0).repeat(2, 1)[: y.shape[0]]
        for x in (u, v)
    )
    blue, red = blue[:, : y.shape[1]], red[:, : y.shape[1]]
    colours = (
        y + np.float32(1.402) * red,
        y - np.float32(0.344136) * blue - np.float32(0.714136) * red,
        y + np.float32(1.772) * blue,
    )
    pixels = np.stack(colours, axis=-1)
    return np.rint(np.clip(pixels, 0, 255, out=pixels)).astype(np.uint8)


def _plane(frame: "av.VideoFrame", number: int) -> np.ndarray:
    plane = frame.planes[number]
    lines = np.frombuffer(memoryview(plane), np.uint8)
    return lines.reshape(plane.height, plane.line_size)[:, : plane.width]


def to_video_frame(
    pixels: np.ndarray, size: tuple[int, int], scaler: str
) -> "av.VideoFrame":
    """Converts RGB for an encoder: `size`, 4:2:0, BT.601 in studio range."""
    av = require_av()
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
    return frame.reformat(
        width=size[0],
        height=size[1],
        format="yuv420p",
        dst_colorspace="itu601",
        dst_color_range="MPEG",
        interpolation=scaler,
    )


def _number(timed) -> int | None:
    """The frame number of a frame or packet."""
    return None if timed.pts is None else round(timed.pts * timed.time_base * FPS)


def require_av():
    """Imports PyAV with its log disabled; raises an error if it is missing."""
    (av,) = optional.require("av", purpose="video")
    av.logging.set_level(av.logging.PANIC)
    os.environ.setdefault("SVT_LOG", "1")  # Keeps SVT-AV1 from printing settings.
    return av
