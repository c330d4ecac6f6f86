"""What kind of picture a file is by its first bytes, where Pillow does not read it."""

import importlib.util
from pathlib import Path

from kdsharp.errors import UserError
from kdsharp.media import tags

# Where the first directory of a camera's raw file lies, and what it points to.
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
# What MP4, QuickTime and 3GPP call themselves.
_VIDEO_BRANDS = (b"iso", b"mp4", b"avc1", b"M4V", b"qt  ", b"3g", b"dash", b"XAVC")
_NEW_SUBFILE, _SUBDIRECTORIES, _DNG_VERSION = 254, 330, 50706


def head(source: Path | bytes) -> bytes:
    """Returns the first bytes of a file, enough to tell its kind."""
    if isinstance(source, bytes):
        return source[:_HEAD]
    with source.open("rb") as file:
        return file.read(_HEAD)


def why_unread(start: bytes) -> str:
    """Returns why a picture that starts so is not read, or nothing.

    HEIF is, as soon as Pillow was told of it.
    """
    if _is_raw(start):
        return "it is a camera's raw file: develop it first, as a 16-bit TIFF"
    for begins, name in _NAMED_STARTS.items():
        if start.startswith(begins):
            return f"{name} is not read: convert it first, as to a 16-bit TIFF"
    if is_heif(start) and importlib.util.find_spec("pillow_heif") is None:
        return "it is HEIF (HEIC): pip install 'kdsharp[heif]' reads it"
    return ""


def prepare(start: bytes) -> None:
    """Lets Pillow open a picture that starts so, or says why it is not read."""
    why = why_unread(start)
    if why:
        raise UserError(why)
    if is_video(start):
        raise UserError("it is a video: kdsharp video restores those")
    if is_heif(start):
        import pillow_heif

        pillow_heif.register_heif_opener()


def is_video(start: bytes) -> bool:
    """Whether that is a video, of the containers that are told by their beginning."""
    if start[4:8] == b"ftyp":
        return start[8:12].startswith(_VIDEO_BRANDS)
    is_avi = start[:4] == b"RIFF" and start[8:12] == b"AVI "
    return is_avi or start.startswith(_VIDEO_STARTS)


def is_heif(start: bytes) -> bool:
    """Whether that is HEIF that is not AVIF."""
    brands = _brands(start)
    return bool(_HEIF & brands) and not {b"avif", b"avis"} & brands


def _brands(start: bytes) -> set[bytes]:
    """Returns what a file of boxes (ISO 14496-12) says it is."""
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
    # The first picture is a small one of another, which is the camera's.
    small = directory.get(_NEW_SUBFILE)
    is_small = isinstance(small, tags.Tag) and sum(small.numbers()) & 1
    return bool(is_small) and _SUBDIRECTORIES in directory
