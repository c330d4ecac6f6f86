"""Convolutions on the folded picture."""

from kdsharp.export.graph import Graph, Size, Value


def real_time(
    graph: Graph, x: Value, sizes: tuple[Size, Size], model, params: dict
) -> Value:
    """Returns the residual."""
    # ONNX numbers channels as `kdsharp.models.real_time.fold` does: the pixels of a
    # square row by row, each with its channels.
    x = graph.node("SpaceToDepth", x, blocksize=model.factor)
    for layer in range(1, model.depth + 1):
        if layer > 1:
            x = graph.leaky_relu(x, model.slope)
        x = graph.convolution(x, params[f"conv{layer}"], name=f"conv{layer}")
    return graph.node("DepthToSpace", x, blocksize=model.factor, mode="DCR")
