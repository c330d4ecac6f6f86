"""Live outputs by name: a window, a device, an address or a file."""

import dataclasses
from pathlib import Path

from kdsharp.errors import UserError
from kdsharp.media.video.encoding import Encoding
from kdsharp.media.video.live import cameras

# Do not wait for late audio, and do not buffer output.
_AT_ONCE = (("max_interleave_delta", "100000"), ("flush_packets", "1"))
_MUXERS = {
    "udp": "mpegts",
    "tcp": "mpegts",
    "srt": "mpegts",
    "rtp": "rtp_mpegts",
    "rtsp": "rtsp",
    "rtmp": "flv",
    "rtmps": "flv",
}
# The datagram size, a multiple of the packet size of transport streams; and the time
# limit of connections, in microseconds, during which everything waits.
_PARAMETERS = {"udp": "pkt_size=1316", "tcp": "timeout=5000000"}
_OPTIONS = {"rtsp": (("timeout", "5000000"),)}


@dataclasses.dataclass(frozen=True)
class Output:
    """Where video goes; `window` and `program` outputs are piped to a program.

    A `camera` takes frames through pyvirtualcam.
    """

    url: str
    name: str
    kind: str
    format: str | None = None
    options: tuple[tuple[str, str], ...] = _AT_ONCE

    @property
    def returns(self) -> bool:
        """Whether it may fail temporarily, as when a receiver disconnects."""
        return self.kind in ("address", "program")


def find(name: str, format_: str | None = None) -> Output:
    """Interprets the name of an output."""
    if name == "window":
        return Output("", name, "window", "nut")
    if name == "virtual" and not cameras.uses_device():
        cameras.require()
        return Output("", name, "camera")
    if name == "virtual":
        return Output(cameras.find_device(), name, "device", "v4l2", ())
    if name.startswith("/dev/video"):
        return Output(name, name, "device", "v4l2", ())
    scheme = name.partition("://")[0] if "://" in name else ""
    if not scheme or scheme == "file":
        path = name.removeprefix("file://")
        if not Path(path).suffix:
            raise UserError(
                f"{name} is neither window, virtual, /dev/videoN, an address such as "
                "udp://HOST:PORT, nor a file that ends in .mp4 or .mkv"
            )
        return Output(path, name, "file", format_)
    if not (muxer := format_ or _MUXERS.get(scheme)):
        raise UserError(
            f"unknown scheme in {name!r}; choose one of: {', '.join(_MUXERS)}, or "
            "give --output-format"
        )
    url = name
    parameter = _PARAMETERS.get(scheme)
    if parameter and parameter.partition("=")[0] not in name:
        url += ("&" if "?" in name else "?") + parameter
    kind = "program" if scheme == "srt" else "address"
    return Output(url, name, kind, muxer, _AT_ONCE + _OPTIONS.get(scheme, ()))


def encoding(output: Output, wanted: Encoding) -> Encoding:
    """The encoding for an output; windows and devices get raw video."""
    if output.kind in ("window", "device") and wanted.codec is None:
        return dataclasses.replace(wanted, codec="rawvideo", live=True)
    codec = "libx264" if output.format == "flv" and not wanted.codec else wanted.codec
    return dataclasses.replace(wanted, codec=codec, live=True)
