"""The options of a restoration, validated once."""

import dataclasses
import math

from kdsharp.errors import UserError
from kdsharp.runtime import backends

# Default networks for pictures, and for videos and calls.
DEFAULT = "rt-l-photo"
DEFAULT_VIDEO = "rt-t-call"

MAX_STRENGTH = 1.5


@dataclasses.dataclass(frozen=True)
class RestoreOptions:
    """How a picture or a video is restored; validated on creation.

    Attributes:
      model: an included network, a `.safetensors` file or the folder of a finished
        run; empty selects the default for pictures or for video.
      strength: factor of the network's residual, from 0 (no change) to 1.5; 1 is as
        trained.
      unsharp: amount of an unsharp mask of radius 1 applied to the result; 0 is none.
      compare: also show the result next to the input.
      size: width and height that the network works at, for video; None is the video's
        own size.
      backend: the runtime, or `auto` for the fastest that is installed.
      dtype: the element type to compute in: float32, bfloat16 or int8.
      threads: number of threads for the network; 0 is one per core.
      device: cpu, gpu, npu or auto (a GPU if there is one, otherwise the CPU); empty
        is the backend's default, which is the CPU except for JAX with an accelerator.
    """

    model: str = ""
    strength: float = 1.0
    unsharp: float = 0.0
    compare: bool = False
    size: tuple[int, int] | None = None
    backend: str = "auto"
    dtype: str = "float32"
    threads: int = 0
    device: str = ""

    def __post_init__(self):
        check_strength(self.strength)
        check_unsharp(self.unsharp)
        if self.size is not None and min(self.size) < 1:
            width, height = self.size
            raise UserError(f"size {width}x{height} has no pixels")
        backends.check_threads(self.threads)
        backends.choose(self.backend, self.dtype, self.device)


def check_strength(strength: float) -> None:
    """Refuses a strength outside [0, MAX_STRENGTH]."""
    if not 0 <= strength <= MAX_STRENGTH:
        raise UserError(
            f"strength {strength:g} is out of range: give 0 (no change) to "
            f"{MAX_STRENGTH:g}; 1 is as trained"
        )


def check_unsharp(amount: float) -> None:
    """Refuses a negative or infinite amount."""
    if not 0 <= amount < math.inf:
        raise UserError(f"unsharp {amount:g} is out of range: give 0 (none) or more")
