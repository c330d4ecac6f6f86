"""What can run a network: one entry a backend.

A backend turns weights into a `Network`. To add one: write its `create` in a file of
its own, which is imported when it is asked for, and enter it here.
"""

import dataclasses
import importlib
import importlib.util
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from kdsharp.errors import UserError
from kdsharp.weights import store


@dataclasses.dataclass(frozen=True)
class Network:
    """A function from blurred pixels in [0, 1] to restored ones, which nothing clips.

    It takes and gives float32 of `channels`: 1 is luma, 3 is RGB. A restored pixel
    depends on none farther than `radius` along either axis, as long as the picture is
    cut at multiples of `multiple`. Pieces of `side` by `side` pixels suit it.
    """

    run: Callable[[Float[np.ndarray, "b h w c"]], Float[np.ndarray, "b h w c"]]
    channels: int
    radius: int
    multiple: int
    side: int

    def __call__(
        self, blurred: Float[np.ndarray, "b h w c"]
    ) -> Float[np.ndarray, "b h w c"]:
        return self.run(blurred)


@dataclasses.dataclass(frozen=True)
class Backend:
    """`module` has `create(weights, dtype, threads)`, which returns a `Network`."""

    module: str
    needs: tuple[str, ...] = ()

    @property
    def installed(self) -> bool:
        return all(importlib.util.find_spec(name) for name in self.needs)


# `auto` takes the first that is installed.
BACKENDS: dict[str, Backend] = {
    "jax": Backend("kdsharp.runtime.jax_backend"),
}

DTYPES = ("float32", "bfloat16")


def create(
    weights: store.Weights,
    *,
    backend: str = "auto",
    dtype: str = "float32",
    threads: int = 0,
) -> Network:
    """Returns the network of these weights, ready to run; `threads` 0 is every core."""
    if backend == "auto":
        backend = next(name for name, entry in BACKENDS.items() if entry.installed)
    if backend not in BACKENDS:
        raise UserError(
            f"unknown backend {backend!r}; there are: auto, {', '.join(BACKENDS)}"
        )
    entry = BACKENDS[backend]
    if not entry.installed:
        raise UserError(f"backend {backend!r} needs {' and '.join(entry.needs)}")
    if dtype not in DTYPES:
        raise UserError(f"unknown dtype {dtype!r}; there are: {', '.join(DTYPES)}")
    if threads < 0:
        raise UserError(f"{threads} threads are none; 0 takes every core")
    return importlib.import_module(entry.module).create(weights, dtype, threads)
