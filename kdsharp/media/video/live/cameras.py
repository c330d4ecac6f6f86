"""Virtual cameras: v4l2loopback on Linux, OBS's on Windows and macOS.

On Linux, FFmpeg writes to the device. Elsewhere, pyvirtualcam passes frames to OBS.
"""

import sys
from pathlib import Path

import av
import numpy as np

from kdsharp.base import optional
from kdsharp.errors import UserError
from kdsharp.media.video import frames, swscale

_DEVICES = Path("/sys/devices/virtual/video4linux")

_OBS = "install OBS Studio, and start and stop its virtual camera once"
_UNITY = " (on Windows, Unity Capture also works)"


def uses_device() -> bool:
    """Whether a virtual camera is a device file on this system."""
    return sys.platform.startswith("linux")


def find_device() -> str:
    """Finds the first v4l2 loopback device on Linux."""
    # Only virtual devices are listed there. Numbers may have several digits.
    found = sorted(_DEVICES.glob("video*"), key=lambda path: (len(path.name), path))
    if not found:
        raise UserError(
            "no virtual camera here: install v4l2loopback (Debian's "
            "v4l2loopback-dkms), then sudo modprobe v4l2loopback exclusive_caps=1"
        )
    return f"/dev/{found[0].name}"


def require() -> None:
    """Fails with the extra to install if pyvirtualcam is missing."""
    optional.require("pyvirtualcam", purpose="a virtual camera")


class CameraWriter:
    """Passes frames to a virtual camera; takes the place of a `VideoWriter`."""

    carried: frozenset[int] = frozenset()

    def __init__(self, frame: av.VideoFrame, rate: float):
        (pyvirtualcam,) = optional.require("pyvirtualcam", purpose="a virtual camera")
        # Its chroma has no half pixels.
        even = frame.width % 2 == frame.height % 2 == 0
        pixels = pyvirtualcam.PixelFormat
        self._format = "yuv420p" if even else "rgb24"
        try:
            self._camera = pyvirtualcam.Camera(
                *(frame.width, frame.height, rate),
                fmt=pixels.I420 if even else pixels.RGB,
            )
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise UserError(
                f"no virtual camera starts: {reason}; {_OBS}{_UNITY}"
            ) from error

    @property
    def device(self) -> str:
        """The camera's name, as calls list it."""
        return self._camera.device

    def frame(self, frame: av.VideoFrame) -> list[int]:
        """Shows a frame; returns its time."""
        try:
            self._camera.send(self._pixels(frame))
        except RuntimeError as error:
            raise UserError(f"{self.device} takes no frames: {error}") from error
        assert frame.pts is not None
        return [frame.pts]

    def packet(self, packet: av.Packet) -> None:
        """Does nothing: a camera has no sound."""

    def finish(self) -> None:
        """Closes the camera."""
        self._camera.close()

    abandon = finish

    def _pixels(self, frame: av.VideoFrame) -> np.ndarray:
        made = frame.reformat(
            format=self._format,
            src_color_range=swscale.range_(frames.is_full(frame)),
            dst_color_range=swscale.range_(self._format == "rgb24"),
            src_colorspace=swscale.matrix(frame),
        )
        return np.ascontiguousarray(made.to_ndarray())
