"""U-Nets."""

import numpy as np

from kdsharp.export.graph import Graph, Size, Value


def unet(
    graph: Graph, x: Value, sizes: tuple[Size, Size], model, params: dict
) -> Value:
    """Emits the picture."""

    def level(x: Value, name: str) -> Value:
        for layer in ("conv1", "conv2"):
            x = graph.convolution(x, params[name][layer], name=f"{name}_{layer}")
            x = graph.leaky_relu(x, model.slope)
        return x

    skips = []
    depth = len(model.widths) - 1
    for number in range(1, depth + 1):
        skips.append(level(x, f"encoder{number}"))
        x = graph.max_pool(skips[-1])
    x = level(x, "bottleneck")
    for number in range(depth, 0, -1):
        name = f"up{number}"
        x = graph.transposed_convolution(x, params[name], padding=0, name=name)
        x = graph.node("Concat", x, skips.pop(), axis=1)
        x = level(x, f"decoder{number}")
    x = graph.convolution(x, params["head"], name="head")
    return graph.node("Sigmoid", x) if model.sigmoid else x


def separable_unet(
    graph: Graph, x: Value, sizes: tuple[Size, Size], model, params: dict
) -> Value:
    """Emits the picture."""

    def separable(x: Value, name: str, dilation: int = 1) -> Value:
        each, together = f"{name}_depthwise", f"{name}_pointwise"
        group = np.shape(params[each]["kernel"])[-1]
        x = graph.convolution(
            x, params[each], dilation=dilation, group=group, name=each
        )
        x = graph.convolution(x, params[together], name=together)
        return graph.leaky_relu(x, model.slope)

    skips = []
    depth = len(model.widths)
    for number in range(1, depth + 1):
        skips.append(separable(x, f"encoder{number}"))
        x = graph.max_pool(skips[-1])
    x = separable(x, "bottleneck", dilation=2)
    for number in range(depth, 0, -1):
        x = graph.convolution(x, params[f"up{number}"], name=f"up{number}")
        x = graph.upsample(x)
        x = graph.node("Add", x, skips.pop())
        x = separable(x, f"decoder{number}")
    x = separable(x, "refinement")
    return graph.node("Sigmoid", graph.convolution(x, params["head"], name="head"))
