"""Backends that run ONNX graphs: all that they need beyond compiling one."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from kdsharp.runtime import tiling
from kdsharp.runtime.backends.backend import (
    Backend,
    Compute,
    Network,
    PlaneJob,
    RunPlane,
)

if TYPE_CHECKING:
    from kdsharp.export import network as networks
    from kdsharp.export import onnx_models
    from kdsharp.weights import store

Compile = Callable[[bytes, Compute], RunPlane]
"""Returns `run(array, out=None, gains=None) -> array` for a serialized graph.

The graph has one output, of the shape and type of its first input; if gains are given,
they are its second input.
"""


def backend(
    name: str,
    compile_graph: Compile,
    *,
    needs: tuple[str, ...],
    dtypes: tuple[str, ...] = ("float32",),
    rounds_once: bool = False,
) -> Backend:
    """Returns the record of a runtime of ONNX graphs.

    In 8 bits, one that `rounds_once` does so before a convolution alone, not also
    between it and its activation.
    """
    return Backend(
        name,
        pictures=lambda weights, compute: _pictures(
            weights, compute, compile_graph, rounds_once
        ),
        planes=lambda job: _planes(job, compile_graph, rounds_once),
        needs=("onnx", *needs),
        dtypes=dtypes,
    )


def _pictures(
    weights: "store.Weights", compute: Compute, compile_graph: Compile, rounds_once
) -> Network:
    from kdsharp import models
    from kdsharp.export import network, onnx_models

    whole = network.of_weights(weights)
    ranges = _ranges(whole, compute, rounds_once)
    graph = onnx_models.batches(whole, ranges=ranges, clip=False, gains_given=True)
    run = compile_graph(graph.SerializeToString(), compute)
    looks = models.receptive_field(whole.model)

    def restore(blurred: np.ndarray, gains: np.ndarray | None = None) -> np.ndarray:
        blurred = np.asarray(blurred, np.float32)
        if gains is None:
            return run(blurred)
        gains = np.ascontiguousarray(gains[:, None, :, None, None], np.float32)
        if len(gains) == 1:
            return run(blurred, None, gains[0])
        # A graph takes the gains of one picture at a time.
        each = zip(blurred, gains, strict=True)
        return np.concatenate([run(x[None], None, own) for x, own in each])

    return Network(
        run=restore,
        channels=whole.model.channels,
        radius=looks.radius,
        multiple=looks.multiple,
        side=tiling.side(looks.bytes_per_pixel),
        context=whole.params["context"] if whole.has_context else None,
    )


def _planes(job: PlaneJob, compile_graph: Compile, rounds_once: bool) -> RunPlane:
    from kdsharp.export import onnx_models

    graph = onnx_models.planes(
        job.network,
        job.width,
        job.height,
        range_=job.range,
        depth=job.depth,
        strength=job.strength,
        rgb=job.rgb,
        ranges=_ranges(job.network, job.compute, rounds_once),
    )
    return compile_graph(graph.SerializeToString(), job.compute)


def _ranges(
    network: "networks.TrainedNetwork", compute: Compute, rounds_once: bool
) -> "onnx_models.Ranges | None":
    if compute.dtype != "int8":
        return None
    # It imports what generates pictures, which other dtypes do not wait for.
    from kdsharp.export import int8

    found = int8.ranges(network)
    return int8.of_inputs(found) if rounds_once else int8.of_constants(found, network)
