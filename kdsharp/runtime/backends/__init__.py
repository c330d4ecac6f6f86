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

__all__ = [
    "BACKENDS",
    "DEVICES",
    "DTYPES",
    "Backend",
    "Compute",
    "Network",
    "choose",
    "choose_dtype",
    "compute",
    "create",
]

DTYPES = ("float32", "bfloat16", "int8")

DEVICES = ("cpu", "gpu", "npu", "auto")

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
    device: str = "",
) -> Network:
    """Creates a network that is ready to run; `threads=0` uses every core."""
    name = choose(backend, dtype, device)
    found = compute(name, dtype=dtype, threads=threads, device=device)
    return BACKENDS[name].pictures(weights, found)


def compute(
    name: str, *, dtype: str, threads: int, device: str, parallel: int = 1
) -> Compute:
    """Validates how a backend is to compute; `auto` becomes a device it has."""
    check_threads(threads)
    if device == "auto":
        device = "gpu" if "gpu" in BACKENDS[name].devices() else "cpu"
    return Compute(dtype, threads, device, parallel)


def check_threads(threads: int) -> None:
    """Refuses a negative number of threads."""
    if threads < 0:
        raise UserError(f"threads must be at least 0, not {threads}; 0 uses every core")


def choose(backend: str, dtype: str, device: str = "") -> str:
    """Resolves `backend` to an installed backend that supports `dtype` and `device`.

    `auto` selects the fastest one. Device `auto` prefers one that has a GPU; an empty
    device is each backend's default.
    """
    if dtype not in DTYPES:
        raise choices.unknown("dtype", dtype, DTYPES)
    if device and device not in DEVICES:
        raise choices.unknown("device", device, DEVICES)
    if backend == "auto":
        fitting = [
            name
            for name, entry in BACKENDS.items()
            if dtype in entry.dtypes and entry.installed
        ]
        if not fitting:
            raise UserError(
                f"no installed backend computes in {dtype}: "
                "pip install 'kdsharp[onnx]' installs one that does"
            )
        if device in ("", "cpu"):
            return fitting[0]
        wanted = "gpu" if device == "auto" else device
        having = [name for name in fitting if wanted in BACKENDS[name].devices()]
        if not having and device != "auto":
            raise _missing(device, fitting)
        return (having or fitting)[0]
    if backend not in BACKENDS:
        raise choices.unknown("backend", backend, ("auto", *BACKENDS))
    entry = BACKENDS[backend]
    optional.require(*entry.needs, purpose=f"backend {backend}", extra="onnx")
    if dtype not in entry.dtypes:
        raise UserError(
            f"backend {backend!r} does not compute in {dtype}; choose one of: "
            f"{', '.join(entry.dtypes)}"
        )
    if device in ("gpu", "npu") and device not in entry.devices():
        raise _missing(device, [backend])
    return backend


def choose_dtype(dtype: str, backend: str, device: str = "") -> str:
    """Resolves the element type `auto` to the one in which video is restored fastest.

    That is float32 on other devices than the CPU.
    """
    if dtype != "auto":
        return dtype
    entry = BACKENDS[choose(backend, "float32", device)]
    found = compute(entry.name, dtype="float32", threads=0, device=device)
    return entry.quick_dtype() if found.device in ("", "cpu") else "float32"


def _missing(device: str, names: list[str]) -> UserError:
    found = [f"{name} finds {', '.join(BACKENDS[name].devices())}" for name in names]
    return UserError(
        f"no device {device!r} here: {'; '.join(found)} (a GPU or NPU needs its driver "
        "and a build of the runtime that supports it)"
    )
