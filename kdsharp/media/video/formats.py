"""Pixel formats: those with a separate luma plane, and conversions to them."""

import re

import av
from av.codec import codec as codecs

# Plane 0 is only Y, in 8 bits or in the low 10 bits of 16.
_LUMA_FIRST = re.compile(r"(yuva?4\d\dp|gray)(10le)?")


def luma_depth(name: str) -> int | None:
    """The bit depth of a Y plane that can be restored in place, or None."""
    if not (found := _LUMA_FIRST.fullmatch(name)):
        return None
    return 10 if found.group(2) else 8


def working_format(format_: av.VideoFormat) -> str:
    """The closest format whose luma plane can be restored in place."""
    name = format_.name.replace("yuvj", "yuv")
    if luma_depth(name):
        return name
    bits = max(component.bits for component in format_.components)
    depth = "10le" if bits > 8 else ""
    if len(format_.components) < 3:
        return f"gray{depth}"
    clear = "a" if has_alpha(format_.name) else ""
    if format_.is_rgb or format_.name == "pal8":
        return f"yuv{clear}444p{depth}"
    # The chroma size of an 8x8 picture tells the subsampling.
    halves = format_.chroma_width(8) == 8, format_.chroma_height(8) == 8
    layout = {(True, True): "444", (False, True): "422", (True, False): "440"}
    thinned = layout.get(halves, "420")
    # No 4:4:0 format has alpha.
    clear = "" if thinned == "440" else clear
    return f"yuv{clear}{thinned}p{depth}"


def nearest_supported(codec: av.Codec, name: str) -> str:
    """The closest format that an encoder supports."""
    known = [format_.name for format_ in codec.video_formats or ()]
    if not known or name in known:
        return name
    # The yuvj formats are skipped: range is a tag here.
    known = [other for other in known if not other.startswith("yuvj")] or known
    best, _ = codecs.find_best_pix_fmt_of_list(known, name, has_alpha="a4" in name)
    assert best is not None  # One of several is always the best.
    return best.name


def has_alpha(name: str) -> bool:
    """Whether the format has an alpha channel."""
    return any(component.is_alpha for component in av.VideoFormat(name).components)
