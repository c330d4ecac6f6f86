"""The record that describes a backend, and the types that backends work with.

Neither this module nor those that fill the record in import a runtime; that happens
when a network is created.
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

# ITU-R BT.601, as in `core.color`.
LUMA = np.array([0.299, 0.587, 0.114], np.float32)

Plane = np.ndarray
"""uint8, or uint16 for 10 bits; `[height, width]`, or `[height, width, 3]` for RGB."""


class RunPlane(Protocol):
    """Restores a plane; writes to `out` if given, otherwise returns a new array.

    `further` are the gains of a network with a context, and for one with memory the
    restored plane before, and whether it counts: float32 `[1]`, 0 or 1. Threads may
    call it at the same time.
    """

    def __call__(
        self, plane: Plane, out: Plane | None = None, /, *further: np.ndarray
    ) -> Plane: ...


RunFrames = Callable[[np.ndarray], np.ndarray]
"""Restores uint8 frames `[batch, height, width, 3]`, planes `[batch, height, width]`.
"""


@dataclasses.dataclass(frozen=True)
class Compute:
    """Element type, threads and device to compute with.

    `threads=0` uses every core, an empty `device` the backend's default device. Up to
    `parallel` planes are computed at the same time, with those threads together.
    """

    dtype: str = "float32"
    threads: int = 0
    device: str = ""
    parallel: int = 1


@dataclasses.dataclass(frozen=True)
class Network:
    """A function from blurred pixels in [0, 1] to restored, unclipped pixels.

    Input and output are float32 with 1 (luma) or 3 (RGB) `channels`. If a picture is
    split into tiles at multiples of `multiple`, a restored pixel depends only on pixels
    up to `radius` away along each axis. Tiles of `side` by `side` pixels are
    recommended.

    A network with a context, whose parameters are `context`, also depends on the whole
    picture, through gains `[b or 1, filters]` that are passed to `run`.
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
        """Restores pixels; gains are computed if these are whole pictures."""
        if self.context is None:
            return self.run(blurred)
        if gains is None:
            gains = context.of_batch(self.context, np.asarray(blurred), LUMA)
        return self.run(blurred, gains)


@dataclasses.dataclass(frozen=True)
class PlaneJob:
    """A network applied to planes of one size, in `studio` or `full` range."""

    network: "TrainedNetwork"
    width: int
    height: int
    range: str
    strength: float
    depth: int
    rgb: bool
    compute: Compute

    @property
    def remembers(self) -> bool:
        """Whether the network remembers planes; pictures it does not."""
        return self.network.has_memory and not self.rgb

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a plane."""
        channels = 3 if self.rgb else self.network.model.channels
        return (self.height, self.width, *([channels] if channels > 1 else []))

    @property
    def element(self) -> type:
        """The NumPy type of a plane's integers."""
        return np.uint8 if self.depth == 8 else np.uint16


def cpu_only() -> tuple[str, ...]:
    """The devices of a backend that knows no other."""
    return ("cpu",)


@dataclasses.dataclass(frozen=True)
class Backend:
    """A runtime for networks.

    Attributes:
      name: the name used by `--backend`.
      pictures: creates a network for pictures of any size.
      planes: creates a function that restores planes of video of one size.
      needs: packages to import, beyond kdsharp's own requirements.
      dtypes: the element types it can compute in.
      frames: creates a function that restores batches of uint8 frames from a Flax
        module, its variables, whether frames are single planes, and the device.
        `kdsharp bench` uses it; without it, `planes` restores one frame at a time.
      devices: lists which of `cpu`, `gpu` and `npu` it can use on this machine.
      quick_dtype: names the floating-point type in which it is fastest on this
        processor.
    """

    name: str
    pictures: Callable[["Weights", Compute], Network]
    planes: Callable[[PlaneJob], RunPlane]
    needs: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ("float32",)
    frames: Callable[[Any, dict, bool, str], RunFrames] | None = None
    devices: Callable[[], tuple[str, ...]] = cpu_only
    quick_dtype: Callable[[], str] = lambda: "float32"

    @property
    def installed(self) -> bool:
        """Whether the packages it needs can be imported."""
        return optional.installed(*self.needs)
