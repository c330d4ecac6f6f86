"""How pictures and frames are restored: one record, checked once, passed everywhere."""

import dataclasses
import math

from kdsharp.errors import UserError
from kdsharp.runtime import backends

# What restores where nobody names a model: pictures, and the frames of a video or call.
DEFAULT = "rt-l-photo"
DEFAULT_VIDEO = "rt-s-call"

MAX_STRENGTH = 1.5


@dataclasses.dataclass(frozen=True)
class RestoreOptions:
    """What is asked of a restoration, of a picture or of video.

    It is checked when it is made: whoever holds one need not check it again.

    Attributes:
      model: weights that ship, a `.safetensors` file or the folder of a finished run;
        empty is the default of pictures or of video.
      strength: what the network's residual is multiplied by, from 0 (nothing) to 1.5;
        1 is as trained.
      unsharp: amount of an unsharp mask of radius 1 over the result; 0 is none.
      compare: whether the result is also shown beside what came in.
      size: width and height that the network sees, for video; None is the video's own.
      backend: the runtime, or `auto` for the fastest that is installed.
      dtype: what the network computes in: float32, bfloat16 or int8.
      threads: cores that the network may use; 0 is every core.
    """

    model: str = ""
    strength: float = 1.0
    unsharp: float = 0.0
    compare: bool = False
    size: tuple[int, int] | None = None
    backend: str = "auto"
    dtype: str = "float32"
    threads: int = 0

    def __post_init__(self):
        check_strength(self.strength)
        check_unsharp(self.unsharp)
        if self.size is not None and min(self.size) < 1:
            width, height = self.size
            raise UserError(f"size {width}x{height} has no pixels")
        backends.check_threads(self.threads)
        backends.choose(self.backend, self.dtype)


def check_strength(strength: float) -> None:
    """Refuses a strength that a residual cannot be multiplied by."""
    if not 0 <= strength <= MAX_STRENGTH:
        raise UserError(
            f"strength {strength:g} is out of range: give 0 (nothing) to "
            f"{MAX_STRENGTH:g}; 1 is as trained"
        )


def check_unsharp(amount: float) -> None:
    """Refuses an unsharp mask that takes sharpness away or has no end."""
    if not 0 <= amount < math.inf:
        raise UserError(f"unsharp {amount:g} is out of range: give 0 (none) or more")
