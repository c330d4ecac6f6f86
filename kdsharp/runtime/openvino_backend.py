"""Networks run by OpenVINO."""

from functools import partial

from kdsharp.runtime import graph_networks, openvino_graphs
from kdsharp.runtime.backends import Network
from kdsharp.weights import store


def create(weights: store.Weights, dtype: str, threads: int) -> Network:
    """Returns the network; in bfloat16 where the processor has it."""
    return graph_networks.create(
        weights,
        partial(openvino_graphs.compile_graph, dtype=dtype, threads=threads),
        in_8_bits=dtype == "int8",
        rounds_once=True,
    )
