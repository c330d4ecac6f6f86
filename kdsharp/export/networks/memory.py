"""The first layer of a network with memory; see `kdsharp.models.memory`."""

import numpy as np

from kdsharp.export.graph import Graph, Value
from kdsharp.models import memory


def first_layer(
    graph: Graph, x: Value, state: tuple[Value, Value], params: dict, channels: int
) -> Value:
    """Emits the convolution of the frame and of the state's differences from it.

    All three are folded. One convolution of both is the fastest; in 8 bits there are
    two, since pixels and differences need steps of their own.
    """
    apart = graph.node("Concat", *(_difference(graph, x, s) for s in state), axis=1)
    graph.limit_values(apart, -1.0, 1.0)
    own, recall = (
        params["conv1"],
        {"kernel": _by_part(params["recall"]["kernel"], channels)},
    )
    if graph.is_quantized("conv1"):
        x = graph.convolution(x, own, name="conv1")
        return graph.node("Add", x, graph.convolution(apart, recall, name="recall"))
    graph.watched["conv1"], graph.watched["recall"] = x, apart
    both = graph.node("Concat", x, apart, axis=1)
    kernel = np.concatenate([own["kernel"], recall["kernel"]], axis=2)
    return graph.convolution(both, {**own, "kernel": kernel}, name="first")


def _difference(graph: Graph, x: Value, part: Value) -> Value:
    apart = graph.node("Sub", part, x)
    apart = graph.node("Mul", apart, graph.scalar(1 / memory.REACH))
    near = graph.node("Sub", graph.scalar(1), graph.node("Abs", apart))
    near = graph.node("Mul", graph.relu(near), graph.scalar(4))
    return graph.node("Mul", apart, near)


def _by_part(kernel: np.ndarray, channels: int) -> np.ndarray:
    """Reorders the inputs of a kernel: all of the frame before, then its restoration.

    `kdsharp.models.real_time.fold` keeps the channels of each pixel together.
    """
    height, width, _, filters = kernel.shape
    by_pixel = kernel.reshape(height, width, -1, 2, channels, filters)
    return by_pixel.transpose(0, 1, 3, 2, 4, 5).reshape(kernel.shape)
