"""Convolutions, leaky ReLU between, on a picture that was folded before.

Expanded convolutions are plain ones here.
"""

from kdsharp.export.graph import Gains, Graph, Size, Value

# What is watched of the last hidden layer before the gains are multiplied in.
UNGAINED = "before gains"


def real_time(
    graph: Graph,
    x: Value,
    sizes: tuple[Size, Size],
    model,
    params: dict,
    gains: Gains | None = None,
) -> Value:
    """Returns the folded residual; `gains` multiply the last hidden layer's filters.

    Gains that all pictures share are multiplied into the last layer's kernel instead,
    which takes no time; a kernel of integers has to stay as it is.
    """
    for layer in range(1, model.depth):
        x = _convolution(graph, x, model, params[f"conv{layer}"], f"conv{layer}")
        if model.learned_slope:
            x = graph.learned_relu(x, params[f"slope{layer}"])
        else:
            x = graph.leaky_relu(x, model.slope)
        if layer == 1:
            first = x
    if model.skip:
        x = graph.node("Add", x, first)
    last = f"conv{model.depth}"
    if not gains:
        return graph.convolution(x, params[last], name=last)
    graph.watched[UNGAINED] = x
    if gains.shared and not graph.in_8_bits(last):
        return graph.convolution(x, params[last], name=last, gains=gains.value)
    x = graph.node("Mul", x, gains.value, name="gained")
    return graph.convolution(x, params[last], name=last)


def _convolution(graph: Graph, x: Value, model, params: dict, name: str) -> Value:
    if "each" not in params:
        return graph.convolution(x, params, name=name)
    x = graph.convolution(x, params["each"], group=model.width, name=f"{name}_each")
    return graph.convolution(x, params["mixed"], name=f"{name}_mixed")
