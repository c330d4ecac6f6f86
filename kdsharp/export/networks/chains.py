"""Chains of convolutions with ReLU between them."""

from kdsharp.export.graph import Graph, Size, Value


def dncnn(
    graph: Graph, x: Value, sizes: tuple[Size, Size], model, params: dict
) -> Value:
    """Emits the residual."""
    if any(model.mean):
        x = graph.node("Sub", x, graph.per_channel(model.mean))
    return _chain(graph, x, params)


def light_cnn(
    graph: Graph, x: Value, sizes: tuple[Size, Size], model, params: dict
) -> Value:
    """Emits the residual."""
    return _chain(graph, x, params)


def plain_cnn(
    graph: Graph, x: Value, sizes: tuple[Size, Size], model, params: dict
) -> Value:
    """Emits the picture."""
    return _chain(graph, x, params)


def _chain(graph: Graph, x: Value, params: dict) -> Value:
    for number in range(1, len(params) + 1):
        if number > 1:
            x = graph.relu(x)
        x = graph.convolution(x, params[f"conv{number}"], name=f"conv{number}")
    return x
