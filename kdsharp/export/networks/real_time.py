"""Convolutions, leaky ReLU between, on a picture that was folded before."""

from kdsharp.export.graph import Graph, Size, Value


def real_time(
    graph: Graph, x: Value, sizes: tuple[Size, Size], model, params: dict
) -> Value:
    """Returns the folded residual."""
    for layer in range(1, model.depth + 1):
        if layer > 1:
            x = graph.leaky_relu(x, model.slope)
        x = graph.convolution(x, params[f"conv{layer}"], name=f"conv{layer}")
    return x
