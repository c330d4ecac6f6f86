"""What a backend is: the record that each of them fills in, and what it hands out.

Nothing heavy is imported here, nor by the files that fill the record in: a runtime is
imported when one of its networks is created.
"""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from jaxtyping import Float

from kdsharp.base import optional
from kdsharp.export import gains as context

if TYPE_CHECKING:
    from kdsharp.export.network import TrainedNetwork
    from kdsharp.weights.store import Weights

# ITU-R BT.601, as `core.color` has it.
LUMA = np.array([0.299, 0.587, 0.114], np.float32)

Plane = np.ndarray
"""uint8 or, of 10 bits, uint16, `[height, width]`, of RGB `[height, width, 3]`."""


class RunPlane(Protocol):
    """Restores a plane; writes to `out` if given, else returns a new array."""

    def __call__(
        self, plane: Plane, out: Plane | None = None, gains: np.ndarray | None = None, /
    ) -> Plane: ...


RunFrames = Callable[[np.ndarray], np.ndarray]
"""Restores uint8 frames `[batch, height, width, 3]`, planes `[batch, height, width]`.
"""


@dataclasses.dataclass(frozen=True)
class Compute:
    """How a backend computes; `threads` 0 is every core."""

    dtype: str = "float32"
    threads: int = 0


@dataclasses.dataclass(frozen=True)
class Network:
    """A function from blurred pixels in [0, 1] to restored ones, which nothing clips.

    It takes and gives float32 of `channels`: 1 is luma, 3 is RGB. A restored pixel
    depends on none farther than `radius` along either axis, as long as the picture is
    cut at multiples of `multiple`. Tiles of `side` by `side` pixels suit it.

    With a `context`, its parameters, it also depends on the whole picture, by gains
    `[b or 1, filters]`, which `run` is given beside the pixels.
    """

    run: Callable[..., Float[np.ndarray, "b h w c"]]
    channels: int
    radius: int
    multiple: int
    side: int
    context: dict | None = None

    def __call__(
        self,
        blurred: Float[np.ndarray, "b h w c"],
        gains: Float[np.ndarray, "g filters"] | None = None,
    ) -> Float[np.ndarray, "b h w c"]:
        """Returns the restored pixels; whole pictures need no gains."""
        if self.context is None:
            return self.run(blurred)
        if gains is None:
            gains = context.of_batch(self.context, np.asarray(blurred), LUMA)
        return self.run(blurred, gains)


@dataclasses.dataclass(frozen=True)
class PlaneJob:
    """A network on planes of one size, whose integers mean what `range` says."""

    network: "TrainedNetwork"
    width: int
    height: int
    range: str
    strength: float
    depth: int
    rgb: bool
    compute: Compute

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a plane."""
        channels = 3 if self.rgb else self.network.model.channels
        return (self.height, self.width, *([channels] if channels > 1 else []))

    @property
    def element(self) -> type:
        """The type of a plane's integers."""
        return np.uint8 if self.depth == 8 else np.uint16


@dataclasses.dataclass(frozen=True)
class Backend:
    """A runtime that networks run on.

    Attributes:
      name: what `--backend` calls it.
      pictures: creates a network for pictures of any size.
      planes: creates what restores planes of video of one size.
      needs: packages to import, beyond what kdsharp itself requires.
      dtypes: what it computes in.
      frames: creates what restores several uint8 frames at once, from a Flax module,
        its variables and whether frames are single planes. `kdsharp bench` uses it;
        without it, frames are restored by `planes`, one at a time.
    """

    name: str
    pictures: Callable[["Weights", Compute], Network]
    planes: Callable[[PlaneJob], RunPlane]
    needs: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ("float32",)
    frames: Callable[[Any, dict, bool], RunFrames] | None = None

    @property
    def installed(self) -> bool:
        """Whether the packages that it needs can be imported."""
        return optional.installed(*self.needs)
