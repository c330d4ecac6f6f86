"""Networks of any size, of graphs that another runtime runs."""

from collections.abc import Callable

import numpy as np

from kdsharp import models
from kdsharp.export import network, onnx_models
from kdsharp.runtime import backends
from kdsharp.weights import store


def create(
    weights: store.Weights,
    compile_graph: Callable[[bytes], Callable[[np.ndarray], np.ndarray]],
    *,
    in_8_bits: bool,
    rounds_once: bool = False,
) -> backends.Network:
    """Returns the network; a runtime that `rounds_once` does so before convolutions."""
    whole = network.of_weights(weights)
    ranges = _ranges(whole, rounds_once) if in_8_bits else None
    graph = onnx_models.batches(whole, ranges=ranges, clip=False, gains_given=True)
    run = compile_graph(graph.SerializeToString())
    looks = models.receptive_field(whole.model)

    def restore(blurred: np.ndarray, gains: np.ndarray | None = None) -> np.ndarray:
        blurred = np.asarray(blurred, np.float32)
        if gains is None:
            return run(blurred)
        gains = np.ascontiguousarray(gains[:, None, :, None, None], np.float32)
        if len(gains) == 1:
            return run(blurred, gains=gains[0])
        # A graph takes the gains of one look at a time.
        each = zip(blurred, gains, strict=True)
        return np.concatenate([run(x[None], gains=own) for x, own in each])

    return backends.Network(
        run=restore,
        channels=whole.model.channels,
        radius=looks.radius,
        multiple=looks.multiple,
        side=backends.side(looks),
        context=whole.params["context"] if whole.has_context else None,
    )


def _ranges(whole: network.TrainedNetwork, rounds_once: bool) -> onnx_models.Ranges:
    # It brings with it what generates pictures, which others do not wait for.
    from kdsharp.export import int8

    found = int8.ranges(whole)
    return int8.of_inputs(found) if rounds_once else int8.of_constants(found, whole)
