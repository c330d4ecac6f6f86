"""Frames that show when they were made, and processes that send and receive them.

    python -m tests.media.video.clocks send URL FRAMES RATE WIDTH HEIGHT
    python -m tests.media.video.clocks send-when-asked URL FRAMES RATE WIDTH HEIGHT
    python -m tests.media.video.clocks receive URL [OPTION=VALUE ...]

The time is drawn in columns, black and white, that survive restoring and encoding.
"""

import socket
import sys
import time
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np

_BITS = 16
# Milliseconds after which the time begins anew.
_AROUND = 2**_BITS


def now() -> int:
    """The current time in milliseconds, modulo what can be drawn."""
    return int(time.time() * 1000) % _AROUND


def draw(luma: np.ndarray, moment: int) -> None:
    """Draws the time in columns of equal width."""
    bits = [(moment >> bit) & 1 for bit in range(_BITS)]
    columns = np.linspace(0, luma.shape[1], _BITS + 1).astype(int)
    for bit, left, right in zip(bits, columns, columns[1:], strict=False):
        luma[:, left:right] = 200 if bit else 50


def told(luma: np.ndarray) -> int:
    """Reads the time that was drawn."""
    columns = np.linspace(0, luma.shape[1], _BITS + 1).astype(int)
    middles = (columns[:-1] + columns[1:]) // 2
    bright = luma[luma.shape[0] // 2, middles].astype(int) > 125
    return int(sum(int(bit) << index for index, bit in enumerate(bright)))


def since(moment: int) -> int:
    """Milliseconds since that time."""
    return (now() - moment) % _AROUND


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def send(url: str, frames: int, rate: int, width: int, height: int) -> None:
    """Sends so many frames, at their pace."""
    with av.open(url, "w", format="mpegts") as out:
        stream = out.add_stream(
            "libx264",
            rate=rate,
            width=width,
            height=height,
            options={"preset": "ultrafast", "tune": "zerolatency", "g": "10"},
        )
        stream.codec_context.time_base = Fraction(1, rate)
        begin = time.monotonic()
        for index in range(frames):
            frame = av.VideoFrame(width, height, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes([128]) * plane.buffer_size)
            time.sleep(max(begin + index / rate - time.monotonic(), 0))
            plane = frame.planes[0]
            luma = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)
            draw(luma[:, :width], now())
            frame.pts = index
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def receive(url: str, options: dict[str, str]) -> Iterator[tuple[int, int, int, int]]:
    """Yields of every frame the time it shows, how long ago that was, and its size.

    Waits until somebody sends, and ends when nobody does any more.
    """
    options = {"analyzeduration": "500000", **options}
    seen = False
    for _ in range(600):
        try:
            with av.open(url, options=options, timeout=(30, 3)) as container:
                for frame in container.decode(video=0):
                    plane = frame.planes[0]
                    luma = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)
                    moment = told(luma[:, : plane.width])
                    seen = True
                    yield moment, since(moment), frame.width, frame.height
        except av.FFmpegError:
            time.sleep(0.1)
        if seen:
            return


if __name__ == "__main__":
    _job, _url, *_rest = sys.argv[1:]
    if _job.startswith("send"):
        if _job == "send-when-asked":
            sys.stdin.readline()
        _frames, _rate, _width, _height = map(int, _rest)
        send(_url, _frames, _rate, _width, _height)
    else:
        for _found in receive(_url, dict(word.split("=") for word in _rest)):
            print(*_found, flush=True)
