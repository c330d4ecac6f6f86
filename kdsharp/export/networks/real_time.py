"""The `real_time` family: convolutions with leaky ReLU, on a folded picture.

Expanded convolutions have been collapsed to plain ones.
"""

from kdsharp.export.graph import Gains, Graph, Size, Value

# The watched name of the last hidden layer's output, before its gains are applied.
BEFORE_GAINS = "before gains"


def real_time(
    graph: Graph,
    x: Value,
    sizes: tuple[Size, Size],
    model,
    params: dict,
    gains: Gains | None = None,
) -> Value:
    """Emits the folded residual; `gains` scale the filters of the last hidden layer.

    Gains that all pictures share are multiplied into the kernel of the last layer,
    which costs nothing at run time; a quantised kernel has to stay as it is.
    """
    for layer in range(1, model.depth):
        x = _convolution(graph, x, model, params[f"conv{layer}"], f"conv{layer}")
        if model.learned_slope:
            x = graph.prelu(x, params[f"slope{layer}"])
        else:
            x = graph.leaky_relu(x, model.slope)
        if layer == 1:
            first = x
    if model.skip:
        x = graph.node("Add", x, first)
    last = f"conv{model.depth}"
    if not gains:
        return graph.convolution(x, params[last], name=last)
    graph.watched[BEFORE_GAINS] = x
    if gains.shared and not graph.is_quantized(last):
        return graph.convolution(x, params[last], name=last, gains=gains.value)
    x = graph.node("Mul", x, gains.value, name="gained")
    return graph.convolution(x, params[last], name=last)


def _convolution(graph: Graph, x: Value, model, params: dict, name: str) -> Value:
    if "each" not in params:
        return graph.convolution(x, params, name=name)
    x = graph.convolution(x, params["each"], group=model.width, name=f"{name}_each")
    return graph.convolution(x, params["mixed"], name=f"{name}_mixed")
