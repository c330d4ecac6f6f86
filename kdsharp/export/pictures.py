"""A network as a whole graph: pixels in, restored pixels out, of whatever kind.

What a graph is fed and gives:

    float   float32 `[batch, height, width, channel]` in [0, 1]
    uint8   the same shape, 0 to 255
    plane   uint8 or uint16 `[height, width]`, or `[height, width, 3]`, as video has it

Conversions, padding, the mean, the residual and the clip are nodes of the graph.
"""

import dataclasses

import flax.linen as nn
import onnx
from onnx import TensorProto, helper

from kdsharp.export import networks
from kdsharp.export.graph import Graph, Size, Value

OPSET = 20
# What onnx 1.16 wrote: old enough for every runtime that knows the opset.
_IR_VERSION = 10

INPUT, OUTPUT = "blurred", "restored"

_ELEMENTS = {
    "float32": TensorProto.FLOAT,
    "uint8": TensorProto.UINT8,
    "uint16": TensorProto.UINT16,
}


@dataclasses.dataclass(frozen=True)
class Network:
    """A family's name, its module and its parameters, batch norm folded."""

    name: str
    model: nn.Module
    params: dict


@dataclasses.dataclass(frozen=True)
class Levels:
    """The integers of a plane that stand for 0 and 1, and the largest there is."""

    black: int
    white: int
    top: int


def levels(depth: int, range_: str) -> Levels:
    """Returns those of video in `full` or `studio` range."""
    top = 2**depth - 1
    if range_ == "full":
        return Levels(0, top, top)
    return Levels(16 << depth - 8, 235 << depth - 8, top)


def batches(network: Network, interface: str = "float") -> onnx.ModelProto:
    """Returns a graph of any batch, height and width; `interface` float or uint8."""
    graph = Graph()
    dtype = "float32" if interface == "float" else "uint8"
    sizes = graph.size(INPUT, 1), graph.size(INPUT, 2)
    x = INPUT
    if dtype == "uint8":
        x = _scaled(graph, x, levels(8, "full"))
    x = graph.node("Transpose", x, perm=[0, 3, 1, 2])
    x = _restored(graph, x, sizes, network)
    x = graph.node("Clip", x, graph.number(0), graph.number(1))
    x = graph.node("Transpose", x, perm=[0, 2, 3, 1])
    if dtype == "uint8":
        x = _rounded(graph, x, levels(8, "full"), dtype)
    shape = ["batch", "height", "width", network.model.channels]
    return _model(graph, dtype, shape)


def planes(
    network: Network,
    width: int,
    height: int,
    *,
    range_: str = "studio",
    depth: int = 8,
    strength: float = 1.0,
) -> onnx.ModelProto:
    """Returns a graph of one size, for one plane of video or one RGB picture.

    What lies outside of studio range is kept, being there for sharp edges to overshoot.
    """
    graph = Graph()
    dtype = "uint8" if depth == 8 else "uint16"
    pixels = levels(depth, range_)
    channels = network.model.channels
    x = _scaled(graph, INPUT, pixels)
    if channels == 1:
        x = graph.node("Unsqueeze", x, graph.integers(0, 1))
    else:
        x = graph.node("Transpose", x, perm=[2, 0, 1])
        x = graph.node("Unsqueeze", x, graph.integers(0))
    x = _restored(graph, x, (height, width), network, strength)
    x = _rounded(graph, x, pixels, None)
    if channels == 1:
        x = graph.node("Squeeze", x, graph.integers(0, 1))
        shape = [height, width]
    else:
        x = graph.node("Squeeze", x, graph.integers(0))
        x = graph.node("Transpose", x, perm=[1, 2, 0])
        shape = [height, width, channels]
    x = graph.node("Cast", x, to=_ELEMENTS[dtype])
    return _model(graph, dtype, shape)


def _restored(
    graph: Graph,
    x: Value,
    sizes: tuple[Size, Size],
    network: Network,
    strength: float = 1.0,
) -> Value:
    """Returns planes of the same size."""
    family = networks.find(network.name)
    multiple = family.multiple(network.model)
    padded = tuple(graph.to_multiple(size, multiple) for size in sizes)
    blurred = x
    x = graph.pad_below_right(x, sizes, padded)
    x = family.emit(graph, x, padded, network.model, network.params)
    x = graph.crop(x, sizes, padded)
    if family.draws_picture:
        if strength == 1:
            return x
        x = graph.node("Sub", x, blurred)
    if strength != 1:
        x = graph.node("Mul", x, graph.number(strength))
    return graph.node("Add", blurred, x)


def _scaled(graph: Graph, x: Value, pixels: Levels) -> Value:
    """Returns integers as float32, black 0 and white 1."""
    x = graph.node("Cast", x, to=TensorProto.FLOAT)
    if pixels.black:
        x = graph.node("Sub", x, graph.number(pixels.black))
    return graph.node("Div", x, graph.number(pixels.white - pixels.black))


def _rounded(graph: Graph, x: Value, pixels: Levels, dtype: str | None) -> Value:
    """Returns the nearest of a plane's integers."""
    x = graph.node("Mul", x, graph.number(pixels.white - pixels.black))
    if pixels.black:
        x = graph.node("Add", x, graph.number(pixels.black))
    x = graph.node("Clip", x, graph.number(0), graph.number(pixels.top))
    x = graph.node("Round", x)
    return graph.node("Cast", x, to=_ELEMENTS[dtype]) if dtype else x


def _model(graph: Graph, dtype: str, shape: list) -> onnx.ModelProto:
    graph.name_last(OUTPUT)
    body = helper.make_graph(
        graph.nodes,
        "kdsharp",
        [helper.make_tensor_value_info(INPUT, _ELEMENTS[dtype], shape)],
        [helper.make_tensor_value_info(OUTPUT, _ELEMENTS[dtype], shape)],
        graph.constants,
    )
    return helper.make_model(
        body,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=_IR_VERSION,
        producer_name="kdsharp",
    )
