"""Complete ONNX graphs, from pixels to restored pixels.

Inputs and outputs:

    float   float32 `[batch, height, width, channel]` in [0, 1]
    uint8   the same shape, 0 to 255
    plane   uint8 or uint16 `[height, width]` or `[height, width, 3]`, as in video

Conversion, padding, mean subtraction, residual and clipping are part of the graph. So
is the context of networks that have one; alternatively, their gains are a second input
`GAINS`, float32 `[1, filter, 1, 1]`, which applies to all pictures.

For video, a network with memory takes two more inputs: `RECALLED`, what the graph made
of the frame before, of the shape and type of the first input; and `KEEP`, float32
`[1]`, 0 for the first frame of a scene and 1 for all others.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper

from kdsharp import models
from kdsharp.core import color
from kdsharp.export import levels, networks
from kdsharp.export.graph import Gains, Graph, Size, Value
from kdsharp.export.levels import Levels
from kdsharp.export.network import TrainedNetwork
from kdsharp.export.networks import context
from kdsharp.export.quantization import Quantization
from kdsharp.models import memory

OPSET = 20
# The version of onnx 1.16, which every runtime that knows the opset can read.
_IR_VERSION = 10

INPUT, GAINS, OUTPUT = "blurred", "gains", "restored"
RECALLED, KEEP = "recalled", "keep"
_GIVEN = Gains(GAINS, shared=True)

_ELEMENTS = {
    "float32": TensorProto.FLOAT,
    "uint8": TensorProto.UINT8,
    "uint16": TensorProto.UINT16,
}


def batch_model(
    network: TrainedNetwork,
    interface: str = "float",
    *,
    dtype: str = "float32",
    quantization: Quantization | None = None,
    clip: bool = True,
    gains_given: bool = False,
    state_given: bool = False,
) -> onnx.ModelProto:
    """Builds a graph for any batch size, height and width.

    `interface` is float or uint8. Without `clip`, float outputs may exceed [0, 1]. With
    `gains_given`, networks with a context take their gains as an input, and with
    `state_given`, networks with memory take their state.
    """
    graph = Graph(dtype, quantization)
    gains = _GIVEN if gains_given and network.has_context else None
    remembers = state_given and network.has_memory
    return _batch_model(
        graph, network, interface, clip=clip, gains=gains, remembers=remembers
    )


def calibration_model(network: TrainedNetwork) -> tuple[onnx.ModelProto, Graph]:
    """Builds a model whose outputs are the values that its graph watches."""
    graph = Graph()
    model = _batch_model(graph, network, "float")
    for value in dict.fromkeys(graph.watched.values()):
        model.graph.output.append(
            helper.make_tensor_value_info(value, TensorProto.FLOAT, None)
        )
    return model, graph


def _batch_model(
    graph: Graph,
    network: TrainedNetwork,
    interface: str,
    *,
    clip: bool = True,
    gains: Gains | None = None,
    remembers: bool = False,
) -> onnx.ModelProto:
    sizes = graph.size(INPUT, 1), graph.size(INPUT, 2)
    x = graph.node("Transpose", INPUT, perm=[0, 3, 1, 2])
    state = None
    if remembers:
        state = graph.node("Transpose", RECALLED, perm=[0, 3, 1, 2])
    pixels = levels.of_video(8, "full") if interface == "uint8" else None
    if network.has_context and not gains:
        floats = _to_floats(graph, x, pixels) if pixels else x
        found = context.gains(graph, floats, sizes, network.model, network.params)
        gains = Gains(found, shared=False)
    x = _restore(graph, x, sizes, network, pixels, clip=clip, gains=gains, state=state)
    graph.node("Transpose", x, perm=[0, 2, 3, 1])
    shape = ["batch", "height", "width", network.model.channels]
    dtype = "uint8" if pixels else "float32"
    return _model(graph, dtype, shape, network, gains, remembers)


def plane_model(
    network: TrainedNetwork,
    width: int,
    height: int,
    *,
    range_: str = "studio",
    depth: int = 8,
    strength: float = 1.0,
    rgb: bool = False,
    quantization: Quantization | None = None,
) -> onnx.ModelProto:
    """Builds a graph of one size, for a plane of video or an RGB picture.

    Values outside of studio range are kept, because edges may overshoot. With `rgb`, a
    network for luma takes RGB and leaves chroma unchanged. A network with a context
    takes its gains as an input, and one with memory its state.
    """
    graph = Graph(quantization=quantization)
    gains = _GIVEN if network.has_context else None
    pixels = levels.of_video(depth, range_)
    sizes = height, width
    channels = 3 if rgb else network.model.channels
    # Pictures are not video.
    remembers = network.has_memory and not rgb
    x = _plane(graph, INPUT, channels)
    if channels == network.model.channels:
        state = _plane(graph, RECALLED, channels) if remembers else None
        x = _restore(
            graph, x, sizes, network, pixels, strength, gains=gains, state=state
        )
    else:
        x = _to_floats(graph, x, pixels)
        weights = np.array(color.BT601, np.float32).reshape(1, 3, 1, 1)
        luma = graph.node("Conv", x, graph.constant(weights, "bt601"))
        sharp = _restore(
            graph, luma, sizes, network, None, strength, clip=False, gains=gains
        )
        x = graph.node("Add", x, graph.node("Sub", sharp, luma))
        x = _to_integers(graph, x, pixels)
    if channels == 1:
        graph.node("Squeeze", x, graph.integers(0, 1))
        return _model(graph, pixels.dtype, [*sizes], network, gains, remembers)
    x = graph.node("Squeeze", x, graph.integers(0))
    graph.node("Transpose", x, perm=[1, 2, 0])
    shape = [*sizes, channels]
    return _model(graph, pixels.dtype, shape, network, gains, remembers)


def _plane(graph: Graph, name: str, channels: int) -> Value:
    """A plane as a batch of one picture."""
    if channels == 1:
        return graph.node("Unsqueeze", name, graph.integers(0, 1))
    x = graph.node("Transpose", name, perm=[2, 0, 1])
    return graph.node("Unsqueeze", x, graph.integers(0))


def _restore(
    graph: Graph,
    x: Value,
    sizes: tuple[Size, Size],
    network: TrainedNetwork,
    pixels: Levels | None,
    strength: float = 1.0,
    clip: bool = True,
    gains: Gains | None = None,
    state: Value | None = None,
) -> Value:
    """Restores pixels; integers in give integers out."""
    family, model = models.find(network.family), network.model
    multiple = models.receptive_field(model).multiple
    factor = multiple if family.folded else 1
    height, width = (graph.round_up(size, multiple) for size in sizes)
    padded = (height, width)
    # Folding bytes is the cheapest; runtimes cannot fold 16-bit integers.
    bytes_ = pixels is not None and pixels.dtype == "uint8"

    def folded(x: Value) -> Value:
        x = graph.pad_below_right(x, sizes, padded)
        if bytes_:
            x = _fold(graph, x, factor)
        if pixels:
            x = _to_floats(graph, x, pixels)
        return x if bytes_ else _fold(graph, x, factor)

    blurred = x = folded(x)
    if pixels and bytes_:
        span = pixels.white - pixels.black
        graph.limit_values(x, -pixels.black / span, (pixels.top - pixels.black) / span)
    x = graph.enter(x)
    more = {}
    if gains:
        more = {"gains": Gains(graph.enter(gains.value), gains.shared)}
    emit = networks.emitter(network.family)
    x = graph.leave(emit(graph, x, padded, model, network.params, **more))
    if strength != 1 and family.draws_picture:
        x = graph.node("Sub", x, blurred)
    if strength != 1:
        x = graph.node("Mul", x, graph.scalar(strength))
    if strength != 1 or not family.draws_picture:
        x = graph.node("Add", blurred, x)
    if state:
        x = _steady(graph, x, folded(state), network, gains)
    if clip and not pixels:
        x = graph.node("Clip", x, graph.scalar(0), graph.scalar(1))
    if not bytes_:
        x = _unfold(graph, x, factor)
    if pixels:
        x = _to_integers(graph, x, pixels)
    if bytes_:
        x = _unfold(graph, x, factor)
    return graph.crop(x, sizes, padded)


def _steady(
    graph: Graph, x: Value, state: Value, network: TrainedNetwork, gains: Gains | None
) -> Value:
    """Draws x towards the state, as `kdsharp.models.memory.steady`."""
    share = graph.scalar(float(memory.share(network.variables)), "share")
    if gains:
        mean = graph.node("ReduceMean", gains.value, graph.integers(1))
        active = graph.node("Min", mean, graph.scalar(1))
        share = graph.node("Mul", share, active)
    apart = graph.node("Sub", state, x)
    near = graph.node("Mul", graph.node("Abs", apart), graph.scalar(1 / memory.REACH))
    near = graph.relu(graph.node("Sub", graph.scalar(1), near))
    near = graph.node("Mul", near, graph.node("Mul", share, KEEP))
    return graph.node("Add", x, graph.node("Mul", near, apart))


def _fold(graph: Graph, x: Value, factor: int) -> Value:
    """Folds each square of pixels into channels (space to depth).

    The channel order is that of `kdsharp.models.real_time.fold`: the pixels of a square
    row by row, each with all its channels.
    """
    return graph.node("SpaceToDepth", x, blocksize=factor) if factor > 1 else x


def _unfold(graph: Graph, x: Value, factor: int) -> Value:
    """Reverses `_fold` (depth to space)."""
    if factor == 1:
        return x
    return graph.node("DepthToSpace", x, blocksize=factor, mode="DCR")


def _to_floats(graph: Graph, x: Value, pixels: Levels) -> Value:
    """Converts integers to float32, with black 0 and white 1."""
    x = graph.node("Cast", x, to=TensorProto.FLOAT)
    if pixels.black:
        x = graph.node("Sub", x, graph.scalar(pixels.black))
    return graph.node("Div", x, graph.scalar(pixels.white - pixels.black))


def _to_integers(graph: Graph, x: Value, pixels: Levels) -> Value:
    """Rounds floats to the integers of a plane."""
    x = graph.node("Mul", x, graph.scalar(pixels.white - pixels.black))
    if pixels.black:
        x = graph.node("Add", x, graph.scalar(pixels.black))
    x = graph.node("Clip", x, graph.scalar(0), graph.scalar(pixels.top))
    x = graph.node("Round", x)
    return graph.node("Cast", x, to=_ELEMENTS[pixels.dtype])


def _model(
    graph: Graph,
    dtype: str,
    shape: list,
    network: TrainedNetwork,
    gains: Gains | None = None,
    remembers: bool = False,
) -> onnx.ModelProto:
    graph.rename_last(OUTPUT)
    inputs = [helper.make_tensor_value_info(INPUT, _ELEMENTS[dtype], shape)]
    if gains is _GIVEN:
        of_gains = [1, network.model.width, 1, 1]
        inputs.append(helper.make_tensor_value_info(GAINS, TensorProto.FLOAT, of_gains))
    if remembers:
        inputs += [
            helper.make_tensor_value_info(RECALLED, _ELEMENTS[dtype], shape),
            helper.make_tensor_value_info(KEEP, TensorProto.FLOAT, [1]),
        ]
    body = helper.make_graph(
        graph.nodes,
        "kdsharp",
        inputs,
        [helper.make_tensor_value_info(OUTPUT, _ELEMENTS[dtype], shape)],
        graph.constants,
    )
    model = helper.make_model(
        body,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=_IR_VERSION,
        producer_name="kdsharp",
        producer_version=network.version,
        doc_string=f"{network.name}: blurred pixels in, sharp pixels out",
    )
    helper.set_model_props(model, network.metadata())
    return model
