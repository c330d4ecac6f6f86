"""What FFmpeg's swscale, which resizes and converts frames, is told."""

import av
from av.video.reformatter import Interpolation

from kdsharp.media.video import frames

# Its cheaper paths round colours, and drift.
EXACT = (
    Interpolation.BICUBIC
    | Interpolation.ACCURATE_RND
    | (Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP)
)


def range_(full: bool) -> int:
    """Returns its number of full or studio range."""
    return 2 if full else 1


def matrix(frame: av.VideoFrame) -> int:
    """Returns its number of the frame's matrix, which is mostly FFmpeg's."""
    found = frames.matrix(frame)
    return 5 if found == 6 else found
