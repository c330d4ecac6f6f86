"""Colour signalling by code points (CICP, ITU-T H.273), which Pillow ignores."""

import struct

_HDR = {16: "PQ", 18: "HLG"}
_WIDE = {9: "BT.2020", 11: "DCI-P3", 12: "Display P3"}
# The headers of AVIF, HEIF and PNG are within this many bytes.
_LONGEST = 1 << 20


def why_unsupported(start: bytes, has_profile: bool) -> str:
    """Why 8-bit sRGB cannot represent the picture; empty if it can."""
    primaries, transfer = _points(start)
    if transfer in _HDR:
        return (
            f"it is HDR ({_HDR[transfer]}), which would be lost: convert it to SDR "
            "first"
        )
    if primaries in _WIDE and not has_profile:
        return (
            f"its colour space is {_WIDE[primaries]} without an ICC profile, which "
            "would be mistaken for sRGB: convert it first"
        )
    return ""


def bits(start: bytes) -> int:
    """The bit depth per channel of an AVIF or HEIF."""
    at = start.find(b"pixi", 0, _LONGEST)
    if start[4:8] != b"ftyp" or at < 0 or len(start) < at + 10:
        return 8
    return max(start[at + 9 : at + 9 + start[at + 8]], default=8)


def _points(start: bytes) -> tuple[int, int]:
    """The code points of primaries and transfer function; 2 means unspecified."""
    if start.startswith(b"\x89PNG"):
        name, layout, skipped = b"\0\0\0\x04cICP", ">BB", 8
    elif start[4:8] == b"ftyp":
        name, layout, skipped = b"colrnclx", ">HH", 8
    else:
        return 2, 2
    at = start.find(name, 0, _LONGEST)
    if at < 0 or len(start) < at + skipped + 4:
        return 2, 2
    return struct.unpack_from(layout, start, at + skipped)
