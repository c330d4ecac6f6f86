"""The context of a network as nodes: the whole picture determines gains of filters.

It is computed in float32 whatever the element type of the network.
"""

import numpy as np

from kdsharp.core import color
from kdsharp.export.gains import STRIDE
from kdsharp.export.graph import Graph, Value


def gains(
    graph: Graph, x: Value, sizes: tuple[Value, Value], model, params: dict
) -> Value:
    """Emits the gains `[batch, filter, 1, 1]`, as in `models.real_time`."""
    params = params["context"]
    if model.channels == 3:
        weights = np.array(color.BT601, np.float32).reshape(1, 3, 1, 1)
        x = graph.node("Conv", x, graph.constant(weights, "bt601"))
    look = np.asarray(params["look"], np.float32)
    x = _pad_edge(graph, x, sizes, look.shape[0])
    seen = graph.node(
        "Conv",
        x,
        graph.constant(look.transpose(3, 2, 0, 1), "look"),
        kernel_shape=list(look.shape[:2]),
        strides=[STRIDE, STRIDE],
        name="seen",
    )
    means = _mean(graph, graph.node("Abs", seen))
    squares = graph.node("Mul", seen, seen)
    peaks = _mean(graph, graph.node("Mul", squares, squares))
    peaks = graph.node("Add", peaks, graph.scalar(1e-14))
    peaks = graph.node("Sqrt", graph.node("Sqrt", peaks))
    means = graph.node("Add", means, graph.scalar(3e-4))
    features = graph.node("Log", graph.node("Concat", means, peaks, axis=1))
    features = graph.node("Add", features, graph.scalar(3))
    hidden = _dense(graph, features, params["hidden"], "context_hidden")
    hidden = graph.node("LeakyRelu", hidden, alpha=0.1)
    found = _dense(graph, hidden, params["gains"], "context_gains")
    found = graph.node("Mul", graph.node("Sigmoid", found), graph.scalar(2))
    return graph.node("Unsqueeze", found, graph.integers(2, 3))


def _pad_edge(graph: Graph, x: Value, sizes: tuple[Value, Value], least: int) -> Value:
    """Repeats the border of pictures smaller than `least`."""
    zero = graph.integers(0)
    missing = [
        graph.node("Max", graph.node("Sub", graph.integers(least), size), zero)
        for size in sizes
    ]
    nothing = graph.integers(0, 0)
    pads = graph.node("Concat", nothing, nothing, nothing, *missing, axis=0)
    return graph.node("Pad", x, pads, mode="edge")


def _mean(graph: Graph, x: Value) -> Value:
    return graph.node("ReduceMean", x, graph.integers(2, 3), keepdims=0)


def _dense(graph: Graph, x: Value, params: dict, name: str) -> Value:
    kernel, bias = (np.asarray(params[part], np.float32) for part in ("kernel", "bias"))
    return graph.node(
        "Gemm",
        x,
        graph.constant(kernel, f"{name}_kernel"),
        graph.constant(bias, f"{name}_bias"),
        name=name,
    )
