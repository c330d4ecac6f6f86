"""Pixel formats: where luma lies by itself, and what others become first."""

import re

import av
from av.codec import codec as codecs

# Plane 0 is Y and nothing else, in 8 bits or the low 10 of 16.
_LUMA_FIRST = re.compile(r"(yuva?4\d\dp|gray)(10le)?")


def luma_depth(name: str) -> int | None:
    """Returns the bits of a Y plane that can be restored where it lies, or None."""
    if not (found := _LUMA_FIRST.fullmatch(name)):
        return None
    return 10 if found.group(2) else 8


def working(format_: av.VideoFormat) -> str:
    """Returns the format of that kind whose luma can be restored where it lies."""
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
    # What a chroma plane would hold of a luma plane of 8 x 8.
    halves = format_.chroma_width(8) == 8, format_.chroma_height(8) == 8
    layout = {(True, True): "444", (False, True): "422", (True, False): "440"}
    thinned = layout.get(halves, "420")
    # There is no format of 4:4:0 with transparency.
    clear = "" if thinned == "440" else clear
    return f"yuv{clear}{thinned}p{depth}"


def taken(codec: av.Codec, name: str) -> str:
    """Returns the format nearest to that one that an encoder takes."""
    known = [format_.name for format_ in codec.video_formats or ()]
    if not known or name in known:
        return name
    # Their range is a tag here, not a format.
    known = [other for other in known if not other.startswith("yuvj")] or known
    best, _ = codecs.find_best_pix_fmt_of_list(known, name, has_alpha="a4" in name)
    assert best is not None  # One of several is always the best.
    return best.name


def has_alpha(name: str) -> bool:
    """Returns whether pixels of that format have transparency."""
    return any(component.is_alpha for component in av.VideoFormat(name).components)
