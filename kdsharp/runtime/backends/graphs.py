"""Shared implementation of backends that run ONNX graphs."""

import queue
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kdsharp.runtime import tiling
from kdsharp.runtime.backends.backend import (
    Backend,
    Compute,
    Network,
    PlaneJob,
    RunPlane,
    cpu_only,
)

if TYPE_CHECKING:
    from kdsharp.export import network as networks
    from kdsharp.export.quantization import Quantization
    from kdsharp.weights import store

Compile = Callable[[bytes, Compute], RunPlane]
"""Compiles a serialised graph to `run(array, out=None, *further) -> array`.

The graph has one output, of the shape and type of its first input; `further` are its
other inputs.
"""


def share(
    requests: Sequence[Any],
    compute_into: Callable[[Any, Sequence[np.ndarray], np.ndarray], None],
) -> RunPlane:
    """Makes `run` of `compute_into(request, arrays, out)`, one call at a time each.

    A request holds the inputs and the output of one call: as many calls run at the same
    time as there are requests, and others wait.
    """
    idle: queue.SimpleQueue = queue.SimpleQueue()
    for request in requests:
        idle.put(request)

    def run(
        array: np.ndarray, out: np.ndarray | None = None, *further: np.ndarray
    ) -> np.ndarray:
        if out is None:
            out = np.empty(array.shape, array.dtype)
        request = idle.get()
        try:
            compute_into(request, (array, *further), out)
        finally:
            idle.put(request)
        return out

    return run


def backend(
    name: str,
    compile_graph: Compile,
    *,
    needs: tuple[str, ...],
    dtypes: tuple[str, ...] = ("float32",),
    rounds_once: bool = False,
    devices: Callable[[], tuple[str, ...]] = cpu_only,
    quick_dtype: Callable[[], str] = lambda: "float32",
) -> Backend:
    """Makes the record of a runtime that runs ONNX graphs.

    With int8, a runtime that `rounds_once` quantises only the input of a convolution,
    and not also the value between it and its activation.
    """
    return Backend(
        name,
        pictures=lambda weights, compute: _pictures(
            weights, compute, compile_graph, rounds_once
        ),
        planes=lambda job: _planes(job, compile_graph, rounds_once),
        needs=("onnx", *needs),
        dtypes=dtypes,
        devices=devices,
        quick_dtype=quick_dtype,
    )


def _pictures(
    weights: "store.Weights", compute: Compute, compile_graph: Compile, rounds_once
) -> Network:
    from kdsharp import models
    from kdsharp.export import network, onnx_models

    trained = network.of_weights(weights)
    graph = onnx_models.batch_model(
        trained,
        quantization=_quantization(trained, compute, rounds_once),
        clip=False,
        gains_given=True,
    )
    run = compile_graph(graph.SerializeToString(), compute)
    field = models.receptive_field(trained.model)

    def restore(blurred: np.ndarray, gains: np.ndarray | None = None) -> np.ndarray:
        blurred = np.asarray(blurred, np.float32)
        if gains is None:
            return run(blurred)
        gains = np.ascontiguousarray(gains[:, None, :, None, None], np.float32)
        if len(gains) == 1:
            return run(blurred, None, gains[0])
        # The graph takes one set of gains per call.
        each = zip(blurred, gains, strict=True)
        return np.concatenate([run(x[None], None, own) for x, own in each])

    return Network(
        run=restore,
        channels=trained.model.channels,
        radius=field.radius,
        multiple=field.multiple,
        side=tiling.best_side(field.bytes_per_pixel),
        context=trained.params["context"] if trained.has_context else None,
    )


def _planes(job: PlaneJob, compile_graph: Compile, rounds_once: bool) -> RunPlane:
    from kdsharp.export import onnx_models

    graph = onnx_models.plane_model(
        job.network,
        job.width,
        job.height,
        range_=job.range,
        depth=job.depth,
        strength=job.strength,
        rgb=job.rgb,
        quantization=_quantization(job.network, job.compute, rounds_once),
    )
    return compile_graph(graph.SerializeToString(), job.compute)


def _quantization(
    network: "networks.TrainedNetwork", compute: Compute, rounds_once: bool
) -> "Quantization | None":
    if compute.dtype != "int8":
        return None
    # Imported here because it is slow to import and only int8 needs it.
    from kdsharp.export import int8

    found = int8.quantization(network)
    return (
        int8.only_inputs(found)
        if rounds_once
        else int8.without_scaled_kernel(found, network)
    )
