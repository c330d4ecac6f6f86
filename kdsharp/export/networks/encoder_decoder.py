"""The encoder-decoder: down, a residual block, up."""

from kdsharp.export.graph import Graph, Size, Value


def encoder_decoder(
    graph: Graph, x: Value, sizes: tuple[Size, Size], model, params: dict
) -> Value:
    """Emits the picture."""

    def conv(x: Value, name: str, stride: int = 1) -> Value:
        return graph.convolution(x, params[name], stride=stride, name=name)

    x = graph.relu(conv(x, "conv1"))
    x = graph.relu(conv(x, "conv2", stride=2))
    inner = conv(graph.relu(conv(x, "block_conv1")), "block_conv2")
    x = graph.relu(graph.node("Add", x, inner))
    x = graph.transposed_convolution(x, params["up"], padding=1, name="up")
    return graph.node("Sigmoid", conv(graph.relu(x), "head"))
