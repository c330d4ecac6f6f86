"""Scales the filters of a convolution so that all of them make use of 8 bits.

A value has one range for all of its filters, so that those whose outputs are small have
few of its 256 levels. Between two convolutions with a (leaky) ReLU a filter can be
scaled: the first kernel is multiplied by a factor, and the second divided by it. After
Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction",
ICCV 2019.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
import onnx
from jaxtyping import Float

from kdsharp.export.graph import BEFORE, Graph, Value

# Fractions of a filter's outputs below and above its extent.
_BELOW, _ABOVE = 0.001, 0.999
# Filters with less than this part of the largest extent are scaled no more than it.
_LEAST = 1e-2
# Full equality, 1, would spread the weights of the second kernel too much.
_POWER = 0.5


@dataclasses.dataclass(frozen=True)
class Link:
    """Two convolutions, and the values before and after the ReLU between them."""

    first: str
    before: Value
    after: Value
    second: str
    slope: float


def links(graph: Graph) -> Iterator[Link]:
    """Finds the convolutions whose outputs only go through a ReLU to another one."""
    uses: dict[Value, list[onnx.NodeProto]] = {}
    for node in graph.nodes:
        for value in node.input:
            uses.setdefault(value, []).append(node)

    def only_use(value: Value, *operators: str) -> onnx.NodeProto | None:
        found = uses.get(value, [])
        return found[0] if len(found) == 1 and found[0].op_type in operators else None

    applied = {c.output: name for name, c in graph.convolutions.items()}
    for name, convolution in graph.convolutions.items():
        before = convolution.output
        relu = only_use(before, "Relu", "LeakyRelu", "PRelu")
        if relu is None or convolution.group > 1:
            continue
        (after,) = relu.output
        user = only_use(after, "Conv")
        second = user and applied.get(user.output[0])
        if second and graph.convolutions[second].group == 1:
            slope = graph.slopes.get(BEFORE + before, 0.0)
            yield Link(name, before, after, second, slope)


def factors(
    outputs: Float[np.ndarray, "filters samples"], slope: float
) -> Float[np.ndarray, "filters"]:
    """Computes the factors of filters from samples of what they compute.

    Negative values count less, since a leaky ReLU shrinks them to `slope`; runtimes
    that round before it, too, need more of them than others.
    """
    low, high = np.quantile(outputs, [_BELOW, _ABOVE], axis=1)
    extent = np.maximum(high, -low * slope**0.5)
    largest = extent.max()
    if largest <= 0:
        return np.ones(len(outputs), np.float32)
    extent = np.maximum(extent, largest * _LEAST)
    return ((largest / extent) ** _POWER).astype(np.float32)
