"""The runtimes that networks run on: one module and one line in `_FILES` each.

`backend` defines the record that each module fills in; `graphs` fills it in for
runtimes of ONNX graphs. Pictures, video, live streams, the server and `kdsharp bench`
all look up their backend here.
"""

import importlib

from kdsharp.base import choices, optional
from kdsharp.errors import UserError
from kdsharp.runtime.backends.backend import Backend, Compute, Network
from kdsharp.weights import store

__all__ = ["BACKENDS", "DTYPES", "Backend", "Compute", "Network", "choose", "create"]

DTYPES = ("float32", "bfloat16", "int8")

# Each defines `BACKEND`. Fastest first: `auto` takes the first that is installed and
# supports the dtype.
_FILES = (
    "openvino_backend",
    "onnxruntime_backend",
    "jax_backend",
)

BACKENDS: dict[str, Backend] = {
    backend.name: backend
    for backend in (
        importlib.import_module(f"{__name__}.{file}").BACKEND for file in _FILES
    )
}


def create(
    weights: store.Weights,
    *,
    backend: str = "auto",
    dtype: str = "float32",
    threads: int = 0,
) -> Network:
    """Creates a network that is ready to run; `threads=0` uses every core."""
    found = BACKENDS[choose(backend, dtype)]
    check_threads(threads)
    return found.pictures(weights, Compute(dtype, threads))


def check_threads(threads: int) -> None:
    """Refuses a negative number of threads."""
    if threads < 0:
        raise UserError(f"threads must be at least 0, not {threads}; 0 uses every core")


def choose(backend: str, dtype: str) -> str:
    """Resolves `backend` to the name of an installed backend that supports `dtype`.

    `auto` selects the fastest one.
    """
    if dtype not in DTYPES:
        raise choices.unknown("dtype", dtype, DTYPES)
    if backend == "auto":
        for name, entry in BACKENDS.items():
            if dtype in entry.dtypes and entry.installed:
                return name
        raise UserError(
            f"no installed backend computes in {dtype}: "
            "pip install 'kdsharp[onnx]' installs one that does"
        )
    if backend not in BACKENDS:
        raise choices.unknown("backend", backend, ("auto", *BACKENDS))
    entry = BACKENDS[backend]
    optional.require(*entry.needs, purpose=f"backend {backend}", extra="onnx")
    if dtype not in entry.dtypes:
        raise UserError(
            f"backend {backend!r} does not compute in {dtype}; choose one of: "
            f"{', '.join(entry.dtypes)}"
        )
    return backend
