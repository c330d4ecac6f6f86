"""Networks run by onnxruntime."""

from functools import partial

from kdsharp.runtime import graph_networks, onnxruntime_graphs
from kdsharp.runtime.backends import Network
from kdsharp.weights import store


def create(weights: store.Weights, dtype: str, threads: int) -> Network:
    """Returns the network."""
    return graph_networks.create(
        weights,
        partial(onnxruntime_graphs.compile_graph, threads=threads),
        in_8_bits=dtype == "int8",
    )
