"""Parameters for FFmpeg's swscale, which resizes and converts frames."""

import av
from av.video.reformatter import Interpolation

from kdsharp.media.video import frames

# Its faster paths have rounding errors that shift colours.
EXACT = (
    Interpolation.BICUBIC
    | Interpolation.ACCURATE_RND
    | (Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP)
)


def range_(full: bool) -> int:
    """Its number for full or studio range."""
    return 2 if full else 1


def matrix(frame: av.VideoFrame) -> int:
    """Its number for the frame's matrix."""
    found = frames.matrix(frame)
    return 5 if found == 6 else found
