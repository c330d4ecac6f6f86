"""Live inputs by name: a camera, the screen, an address or a file."""

import dataclasses
import os
import sys
from pathlib import Path

from kdsharp.errors import UserError

# Shortens FFmpeg's analysis of a stream, which takes five seconds by default.
_PROBE = {"analyzeduration": "1000000", "fflags": "+discardcorrupt"}
_UDP = {"overrun_nonfatal": "1", "fifo_size": "50000"}


@dataclasses.dataclass(frozen=True)
class Input:
    """How an input is opened, and how it behaves.

    `paced` inputs are read at their frame rate, `returns` allows reconnecting, and
    `advice` is shown when it cannot be opened.
    """

    url: str
    name: str
    format: str | None = None
    options: tuple[tuple[str, str], ...] = ()
    paced: bool = False
    returns: bool = True
    program: bool = False
    advice: str = "check it, and --input-format and --input-option"


def find(name: str, format_: str | None, options: dict[str, str]) -> Input:
    """Interprets the name of an input; a given format and options take precedence."""

    def made(url, kind=None, own=(), **how) -> Input:
        together = tuple({**dict(own), **options}.items())
        shown = name if url.endswith(name) else f"{name} ({url})"
        return Input(url, shown, format_ or kind, together, **how)

    if format_ is not None:
        return made(name, paced=format_ == "lavfi", returns=format_ != "lavfi")
    if name == "screen":
        advice = "under X11, set DISPLAY to the display to capture"
        return made(*_SCREENS.get(sys.platform, _X11), advice=advice)
    if name == "camera" or name.startswith("/dev/video"):
        if name == "camera" and sys.platform not in _CAMERAS:
            raise UserError(
                "no default camera is known here: name it as ffmpeg does, with "
                "--input-format dshow 'video=NAME'"
            )
        url, kind = _CAMERAS.get(sys.platform, ("", "v4l2"))
        advice = "connect a camera, or name another, such as /dev/video1"
        return made(url if name == "camera" else name, kind, advice=advice)
    scheme = name.partition("://")[0] if "://" in name else ""
    if scheme and scheme != "file":
        own = {**_PROBE, **(_UDP if scheme == "udp" else {})}
        advice = "check the address, and that the sender is running"
        return made(name, own=own.items(), program=scheme == "srt", advice=advice)
    path = Path(name.removeprefix("file://"))
    if not path.is_file():
        raise UserError(
            f"{name} is neither a file nor an address such as udp://HOST:PORT, nor "
            "camera, screen or /dev/videoN"
        )
    return made(str(path), paced=True, returns=False)


_X11 = (os.environ.get("DISPLAY", ":0"), "x11grab", (("framerate", "30"),))
_SCREENS = {
    "darwin": ("Capture screen 0", "avfoundation", (("framerate", "30"),)),
    "win32": ("desktop", "gdigrab", (("framerate", "30"),)),
}
_CAMERAS = {"linux": ("/dev/video0", "v4l2"), "darwin": ("0", "avfoundation")}
