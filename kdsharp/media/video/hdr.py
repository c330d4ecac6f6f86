"""HDR metadata of video: mastering display and content light level."""

import dataclasses
import struct
from typing import Any

import av
from av.sidedata.sidedata import Type

# FFmpeg's AVMasteringDisplayMetadata: ten fractions, and two flags of which are set.
_MASTERING = struct.Struct("20i2i")
_LEVELS = struct.Struct("2I")

# Names of dynamic metadata, which changes from frame to frame.
_DYNAMIC = {Type.DYNAMIC_HDR_PLUS: "HDR10+", Type.DOVI_METADATA: "Dolby Vision"}


@dataclasses.dataclass(frozen=True)
class HdrMetadata:
    """Mastering display and content light level; either may be unknown.

    `primaries` are (x, y) of red, green, blue and white, `luminance` is (minimum,
    maximum), and `levels` are MaxCLL and MaxFALL, in candela per square metre.
    """

    primaries: tuple[tuple[float, float], ...] = ()
    luminance: tuple[float, float] = (0.0, 0.0)
    levels: tuple[int, int] | None = None

    def options(self, encoder: str) -> dict[str, str]:
        """The options that pass it to an encoder; empty if the encoder has none."""
        if encoder == "libsvtav1":
            return self._joined("svtav1-params", "mastering-display", "content-light")
        if encoder == "libx265":
            return self._joined("x265-params", "master-display", "max-cll")
        if encoder == "libx264":
            return self._joined("x264-params", "mastering-display", "cll")
        return {}

    def _joined(self, name: str, display: str, levels: str) -> dict[str, str]:
        words = []
        if self.primaries:
            whole = name != "svtav1-params"
            words.append(f"{display}={self._display(whole)}")
        if self.levels:
            words.append(f"{levels}={self.levels[0]},{self.levels[1]}")
        return {name: ":".join(words)} if words else {}

    def _display(self, whole: bool) -> str:
        """Formats the display; `whole` selects units of 1/50000 and 1/10000."""

        def pair(values, unit: int) -> str:
            if whole:
                return ",".join(str(round(value * unit)) for value in values)
            return ",".join(f"{value:.5f}" for value in values)

        red, green, blue, white = self.primaries
        darkest, brightest = self.luminance
        places = (("G", green), ("B", blue), ("R", red), ("WP", white))
        chromaticities = "".join(f"{name}({pair(at, 50_000)})" for name, at in places)
        return f"{chromaticities}L({pair((brightest, darkest), 10_000)})"


def of(frame: av.VideoFrame) -> HdrMetadata | None:
    """Reads the HDR metadata of a frame; None for most videos."""
    hdr_metadata = HdrMetadata()
    if display := content(frame, Type.MASTERING_DISPLAY_METADATA):
        *numbers, has_primaries, has_luminance = _MASTERING.unpack_from(display)
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        values = [up / down if down else 0.0 for up, down in pairs]
        if has_primaries and has_luminance:
            places = tuple(zip(values[:8:2], values[1:8:2], strict=True))
            luminance = (values[8], values[9])
            hdr_metadata = HdrMetadata(places, luminance)
    if levels := content(frame, Type.CONTENT_LIGHT_LEVEL):
        hdr_metadata = dataclasses.replace(
            hdr_metadata, levels=_LEVELS.unpack_from(levels)
        )
    return hdr_metadata if hdr_metadata != HdrMetadata() else None


def dynamic(frame: av.VideoFrame) -> list[str]:
    """Names the dynamic HDR metadata of a frame (HDR10+, Dolby Vision)."""
    return [name for type_, name in _DYNAMIC.items() if content(frame, type_)]


def content(frame: av.VideoFrame, type_: Type) -> bytes:
    """What a frame says of itself under that name; empty where it says nothing."""
    held: Any = frame.side_data  # PyAV's own type is that of a plain dictionary.
    try:
        return bytes(held[type_])
    except KeyError:
        return b""
