"""Recognises file types by their first bytes, for files that Pillow cannot read."""

import importlib.util
from pathlib import Path

from kdsharp.errors import UserError
from kdsharp.media import tags

# Enough bytes for the first directory of raw files and what it points to.
_HEAD = 1 << 16

_HEIF = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_RAW_STARTS = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb")
_NAMED_STARTS = {
    b"\x76\x2f\x31\x01": "OpenEXR",
    b"#?RADIANCE": "Radiance HDR",
    b"#?RGBE": "Radiance HDR",
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"II\xbc\x01": "JPEG XR",
}
# Matroska and WebM, FLV, MPEG's program stream, Windows Media.
_VIDEO_STARTS = (b"\x1a\x45\xdf\xa3", b"FLV\1", b"\0\0\1\xba", b"\x30\x26\xb2\x75")
# Brands of MP4, QuickTime and 3GPP.
_VIDEO_BRANDS = (b"iso", b"mp4", b"avc1", b"M4V", b"qt  ", b"3g", b"dash", b"XAVC")
_NEW_SUBFILE, _SUBDIRECTORIES, _DNG_VERSION = 254, 330, 50706


def head(source: Path | bytes) -> bytes:
    """The first bytes of a file, enough to recognise its type."""
    if isinstance(source, bytes):
        return source[:_HEAD]
    with source.open("rb") as file:
        return file.read(_HEAD)


def why_unreadable(start: bytes) -> str:
    """Why a file that starts with these bytes cannot be read; empty if it can.

    HEIF can be read if its plugin is installed.
    """
    if _is_raw(start):
        return "it is a camera raw file: convert it first, for example to 16-bit TIFF"
    for begins, name in _NAMED_STARTS.items():
        if start.startswith(begins):
            return (
                f"{name} is not supported: convert it first, for example to 16-bit TIFF"
            )
    if is_heif(start) and importlib.util.find_spec("pillow_heif") is None:
        return "it is HEIF (HEIC): pip install 'kdsharp[heif]' reads it"
    return ""


def prepare(start: bytes) -> None:
    """Registers what Pillow needs for this file type, or says why it cannot be read."""
    why = why_unreadable(start)
    if why:
        raise UserError(why)
    if is_video(start):
        raise UserError("it is a video: use kdsharp video")
    if is_heif(start):
        import pillow_heif

        pillow_heif.register_heif_opener()


def is_video(start: bytes) -> bool:
    """Whether it is a video in one of the common containers."""
    if start[4:8] == b"ftyp":
        return start[8:12].startswith(_VIDEO_BRANDS)
    is_avi = start[:4] == b"RIFF" and start[8:12] == b"AVI "
    return is_avi or start.startswith(_VIDEO_STARTS)


def is_heif(start: bytes) -> bool:
    """Whether it is HEIF other than AVIF."""
    brands = _brands(start)
    return bool(_HEIF & brands) and not {b"avif", b"avis"} & brands


def _brands(start: bytes) -> set[bytes]:
    """The brands in the file type box (ISO 14496-12)."""
    if start[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(start[:4], "big"), len(start))
    return {start[8:12], *(start[at : at + 4] for at in range(16, end, 4))}


def _is_raw(start: bytes) -> bool:
    if start.startswith(_RAW_STARTS) or b"crx " in _brands(start):
        return True
    directory = tags.parse(start)
    if start[8:10] == b"CR" or _DNG_VERSION in directory:
        return bool(directory)
    # The first picture is a thumbnail of the raw picture.
    small = directory.get(_NEW_SUBFILE)
    is_small = isinstance(small, tags.Tag) and sum(small.numbers()) & 1
    return bool(is_small) and _SUBDIRECTORIES in directory
