"""What a picture says of its light by code points (ITU-T H.273), which Pillow drops."""

import struct

_HDR = {16: "PQ", 18: "HLG"}
_WIDE = {9: "BT.2020", 11: "DCI-P3", 12: "Display P3"}
# Before the pixels of AVIF, HEIF and PNG.
_LONGEST = 1 << 20


def why_not_shown(start: bytes, has_profile: bool) -> str:
    """Returns why eight bits of sRGB would show another picture, or nothing."""
    primaries, transfer = _points(start)
    if transfer in _HDR:
        return (
            f"it is HDR ({_HDR[transfer]}), which would be lost: make an SDR picture "
            "of it first"
        )
    if primaries in _WIDE and not has_profile:
        return (
            f"its colours are those of {_WIDE[primaries]} without an ICC profile, and "
            "would be taken for sRGB: convert it first"
        )
    return ""


def bits(start: bytes) -> int:
    """Returns how many bits a channel of an AVIF or HEIF has."""
    at = start.find(b"pixi", 0, _LONGEST)
    if start[4:8] != b"ftyp" or at < 0 or len(start) < at + 10:
        return 8
    return max(start[at + 9 : at + 9 + start[at + 8]], default=8)


def _points(start: bytes) -> tuple[int, int]:
    """Returns primaries and transfer characteristics; 2 is for those not told."""
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
