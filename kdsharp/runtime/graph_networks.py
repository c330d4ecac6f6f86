"""Networks of any size, of graphs that another runtime runs."""

from collections.abc import Callable

import numpy as np

from kdsharp.export import int8, network, pictures
from kdsharp.models import reach
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
    ranges = int8.ranges(whole) if in_8_bits else None
    if ranges and rounds_once:
        ranges = int8.of_inputs(ranges)
    graph = pictures.batches(whole, ranges=ranges, clip=False)
    run = compile_graph(graph.SerializeToString())
    looks = reach.of(whole.model)
    return backends.Network(
        run=lambda blurred: run(np.asarray(blurred, np.float32)),
        channels=whole.model.channels,
        radius=looks.radius,
        multiple=looks.multiple,
        side=backends.side(looks),
    )
