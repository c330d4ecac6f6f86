"""Networks on planes of video: integers in, integers out, at one size.

A network of luma takes the Y plane of a frame as a decoder gives it and returns one as
an encoder takes it; colour passes by and is never converted. What turns integers into
a network's numbers and back is part of the graph that runs.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from kdsharp.base import choices
from kdsharp.errors import UserError
from kdsharp.export import levels
from kdsharp.export import network as networks
from kdsharp.runtime import backends
from kdsharp.runtime.following import Following
from kdsharp.weights import store

RANGES = ("studio", "full")

Plane = np.ndarray
"""uint8 or, of 10 bits, uint16, `[height, width]`, of RGB `[height, width, 3]`."""

Run = Callable[[Plane, Plane | None, np.ndarray | None], Plane]


@dataclasses.dataclass(frozen=True)
class Job:
    """What is to run: a network at a size, on integers that mean so much."""

    network: networks.TrainedNetwork
    width: int
    height: int
    range: str
    strength: float
    depth: int
    dtype: str
    threads: int
    rgb: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """What a plane's shape must be."""
        channels = 3 if self.rgb else self.network.model.channels
        return (self.height, self.width, *([channels] if channels > 1 else []))

    @property
    def element(self) -> type:
        """What a plane's numbers are stored as."""
        return np.uint8 if self.depth == 8 else np.uint16


@dataclasses.dataclass(frozen=True)
class Restorer:
    """A function from planes to restored planes of that shape and type.

    Given `out`, it writes there; else what it returns is new. Planes whose lines lie
    one after another are read where they are, others are copied first.

    A network with a context takes them for a sequence, in their order: `following` has
    the gains for each. `forget` says that another sequence begins.
    """

    shape: tuple[int, ...]
    element: type
    backend: str
    _run: Run
    following: Following | None = None

    def forget(self) -> None:
        """Takes the next plane for the first."""
        if self.following:
            self.following.forget()

    def __call__(self, plane: Plane, out: Plane | None = None) -> Plane:
        for array in (plane, out) if out is not None else (plane,):
            if array.shape != self.shape or array.dtype != self.element:
                raise ValueError(
                    f"a plane of {array.dtype} {array.shape}, not of "
                    f"{np.dtype(self.element)} {self.shape}"
                )
        gains = None
        if self.following:
            gains = self.following(plane)[None, :, None, None]
        if out is not None and not out.flags.c_contiguous:
            out[...] = self._run(plane, None, gains)
            return out
        return self._run(plane, out, gains)


def create(
    weights: str | store.Weights | networks.TrainedNetwork,
    width: int,
    height: int,
    *,
    backend: str = "auto",
    dtype: str = "float32",
    threads: int = 0,
    range: str = "studio",
    strength: float = 1.0,
    depth: int = 8,
    rgb: bool = False,
) -> Restorer:
    """Returns what restores planes of that size; `threads` 0 is every core.

    In `studio` range black is 16 and white 235 (of 8 bits), in `full` 0 and 255.
    `strength` multiplies what the network adds. With `rgb` a network of luma is given
    RGB, too, and lets colour pass.
    """
    if range not in RANGES:
        raise choices.unknown("range", range, RANGES)
    if depth not in (8, 10):
        raise UserError(f"planes of {depth} bits cannot be restored: give 8 or 10")
    if min(width, height) < 1:
        raise UserError(f"a plane of {width}x{height} has no pixels")
    name = backends.choose(backend, dtype)
    if not isinstance(weights, networks.TrainedNetwork):
        weights = networks.of_weights(weights)
    job = Job(weights, width, height, range, strength, depth, dtype, threads, rgb)
    run = _CREATE[name](job)
    following = None
    if weights.has_context:
        pixels = levels.of_video(depth, range)
        following = Following(weights.params["context"], pixels)
    return Restorer(job.shape, job.element, name, run, following)


def _graph(job: Job, ranges: dict | None) -> bytes:
    from kdsharp.export import onnx_models

    graph = onnx_models.planes(
        job.network,
        job.width,
        job.height,
        range_=job.range,
        depth=job.depth,
        strength=job.strength,
        rgb=job.rgb,
        ranges=ranges,
    )
    return graph.SerializeToString()


def _ranges(job: Job) -> dict | None:
    if job.dtype != "int8":
        return None
    from kdsharp.export import int8

    return int8.ranges(job.network)


def _openvino(job: Job) -> Run:
    from kdsharp.export import int8
    from kdsharp.runtime import openvino_graphs

    ranges = _ranges(job)
    return openvino_graphs.compile_graph(
        _graph(job, ranges and int8.of_inputs(ranges)),
        dtype=job.dtype,
        threads=job.threads,
    )


def _onnxruntime(job: Job) -> Run:
    from kdsharp.runtime import onnxruntime_graphs

    ranges = _ranges(job)
    if ranges:
        from kdsharp.export import int8

        ranges = int8.of_constants(ranges, job.network)
    return onnxruntime_graphs.compile_graph(_graph(job, ranges), threads=job.threads)


def _jax(job: Job) -> Run:
    import jax
    import jax.numpy as jnp

    from kdsharp.core import color

    found = levels.of_video(job.depth, job.range)
    black, span = found.black, found.white - found.black
    model = job.network.model.clone(dtype=job.dtype)
    flat = len(job.shape) == 2
    of_luma = job.network.model.channels == 1

    @jax.jit
    def restore(variables, plane, gains):
        x = (plane.astype(jnp.float32) - black) / span
        x = x[None, :, :, None] if flat else x[None]
        seen = color.luma(x) if of_luma and not flat else x
        more = {} if gains is None else {"gains": gains}
        x = x + job.strength * model.apply(variables, seen, **more)
        x = jnp.clip(x * span + black, 0, found.top)
        x = jnp.round(x).astype(plane.dtype)[0]
        return x[:, :, 0] if flat else x

    variables = jax.device_put(job.network.variables)

    def run(plane: Plane, out: Plane | None, gains: np.ndarray | None) -> Plane:
        gains = None if gains is None else gains[..., 0, 0]
        restored = np.asarray(restore(variables, plane, gains))
        if out is None:
            # What JAX gives cannot be written to.
            return restored.copy()
        np.copyto(out, restored)
        return out

    return run


_CREATE: dict[str, Callable[[Job], Run]] = {
    "openvino": _openvino,
    "onnxruntime": _onnxruntime,
    "jax": _jax,
}
