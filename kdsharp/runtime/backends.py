"""What can run a network: one entry a backend.

A backend turns weights into a `Network`. To add one: write its `create` in a file of
its own, which is imported when it is asked for, and enter it here.
"""

import dataclasses
import importlib
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from kdsharp.base import choices, optional
from kdsharp.core import color
from kdsharp.errors import UserError
from kdsharp.export import gains as context
from kdsharp.models.family import ReceptiveField
from kdsharp.weights import store

# What a piece may take while it is restored. Larger ones are no faster on a CPU.
_BYTES = 320 << 20
_SIDES = (1024, 768, 512, 384, 256)


@dataclasses.dataclass(frozen=True)
class Network:
    """A function from blurred pixels in [0, 1] to restored ones, which nothing clips.

    It takes and gives float32 of `channels`: 1 is luma, 3 is RGB. A restored pixel
    depends on none farther than `radius` along either axis, as long as the picture is
    cut at multiples of `multiple`. Pieces of `side` by `side` pixels suit it.

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
            weights = np.float32(color.BT601)
            gains = context.of_batch(self.context, np.asarray(blurred), weights)
        return self.run(blurred, gains)


def side(looks: ReceptiveField) -> int:
    """Returns the largest side of a piece that fits, or the least there is."""
    fitting = (s for s in _SIDES if s * s * looks.bytes_per_pixel <= _BYTES)
    return next(fitting, _SIDES[-1])


@dataclasses.dataclass(frozen=True)
class Backend:
    """`module` has `create(weights, dtype, threads)`, which returns a `Network`."""

    module: str
    needs: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ("float32",)

    @property
    def installed(self) -> bool:
        return optional.installed(*self.needs)


DTYPES = ("float32", "bfloat16", "int8")

# The fastest first: `auto` takes the first that is installed and knows the dtype.
BACKENDS: dict[str, Backend] = {
    "openvino": Backend(
        "kdsharp.runtime.openvino_backend", ("onnx", "openvino"), DTYPES
    ),
    "onnxruntime": Backend(
        "kdsharp.runtime.onnxruntime_backend",
        ("onnx", "onnxruntime"),
        ("float32", "int8"),
    ),
    "jax": Backend("kdsharp.runtime.jax_backend", (), ("float32", "bfloat16")),
}


def create(
    weights: store.Weights,
    *,
    backend: str = "auto",
    dtype: str = "float32",
    threads: int = 0,
) -> Network:
    """Returns the network of these weights, ready to run; `threads` 0 is every core."""
    entry = BACKENDS[choose(backend, dtype)]
    if threads < 0:
        raise UserError(
            f"threads must be at least 0, not {threads}; 0 takes every core"
        )
    return importlib.import_module(entry.module).create(weights, dtype, threads)


def choose(backend: str, dtype: str) -> str:
    """Returns a backend that is installed and computes in that dtype.

    It is the one of that name, or for `auto` the fastest.
    """
    if dtype not in DTYPES:
        raise choices.unknown("dtype", dtype, DTYPES)
    if backend == "auto":
        for name, entry in BACKENDS.items():
            if dtype in entry.dtypes and entry.installed:
                return name
        raise UserError(
            f"nothing that is installed computes in {dtype}: "
            "pip install 'kdsharp[onnx]' brings what does"
        )
    if backend not in BACKENDS:
        raise choices.unknown("backend", backend, ("auto", *BACKENDS))
    entry = BACKENDS[backend]
    optional.require(*entry.needs, purpose=f"backend {backend}", extra="onnx")
    if dtype not in entry.dtypes:
        raise UserError(
            f"{backend} does not compute in {dtype}; it does in "
            f"{', '.join(entry.dtypes)}"
        )
    return backend
