"""SwinIR: convolutions on planes, and transformer blocks with channels last.

Windows are split and joined by one transposition each.
"""

import numpy as np
from onnx import TensorProto

from kdsharp.export.graph import Graph, Size, Value
from kdsharp.models import swinir as flax_swinir


def swinir(
    graph: Graph, x: Value, sizes: tuple[Size, Size], model, params: dict
) -> Value:
    """Emits the residual."""
    blocks = _Blocks(graph, sizes, model.window, model.width)
    x = graph.node("Sub", x, graph.per_channel(model.mean_color()))
    x = graph.node("Mul", x, graph.scalar(model.img_range))
    shallow = graph.convolution(x, params["conv_first"], name="conv_first")
    x = blocks.norm(_to_pixels(graph, shallow), params["norm_first"])
    for group, (depth, heads) in enumerate(zip(model.depths, model.heads, strict=True)):
        start = x
        for layer in range(depth):
            block = params[f"group{group}_block{layer}"]
            x = blocks.block(x, block, heads, shifted=layer % 2 == 1)
        name = f"group{group}_conv"
        x = graph.convolution(_to_planes(graph, x), params[name], name=name)
        x = graph.node("Add", start, _to_pixels(graph, x))
    x = _to_planes(graph, blocks.norm(x, params["norm_last"]))
    x = graph.convolution(x, params["conv_body"], name="conv_body")
    x = graph.node("Add", shallow, x)
    x = graph.convolution(x, params["conv_last"], name="conv_last")
    return graph.node("Div", x, graph.scalar(model.img_range))


class _Blocks:
    """State that all transformer blocks of a graph share."""

    def __init__(self, graph: Graph, sizes: tuple[Size, Size], window: int, width: int):
        self._graph = graph
        self._sizes = sizes
        self._across = tuple(graph.divide(size, window) for size in sizes)
        self._window = window
        self._width = width
        self._apart: Value | None = None

    def block(self, x: Value, params: dict, heads: int, *, shifted: bool) -> Value:
        """Emits a transformer block: attention and an MLP."""
        graph = self._graph
        y = self.norm(x, params["norm1"])
        shift = self._window // 2
        if shifted:
            y = self._roll(y, shift)
        y = self._from_windows(
            self._attention(self._to_windows(y), params["attention"], heads, shifted)
        )
        if shifted:
            y = self._roll(y, -shift)
        x = graph.node("Add", x, y)
        y = self._dense(self.norm(x, params["norm2"]), params["expand"])
        return graph.node(
            "Add", x, self._dense(graph.node("Gelu", y), params["contract"])
        )

    def norm(self, x: Value, params: dict) -> Value:
        """Emits layer norm over channels."""
        scale, bias = (self._graph.constant(params[p], p) for p in ("scale", "bias"))
        return self._graph.node(
            "LayerNormalization", x, scale, bias, axis=-1, epsilon=flax_swinir.EPSILON
        )

    def _attention(self, x: Value, params: dict, heads: int, shifted: bool) -> Value:
        graph, pixels = self._graph, self._window**2
        qkv = self._dense(x, params["qkv"])
        split = graph.integers(0, 0, pixels, 3, heads, self._width // heads)
        qkv = graph.node("Reshape", qkv, split)
        qkv = graph.node("Transpose", qkv, perm=[3, 0, 1, 4, 2, 5])
        q, k, v = (
            graph.node("Gather", qkv, graph.constant(np.int64(part)), axis=0)
            for part in range(3)
        )
        q = graph.node("Mul", q, graph.scalar((self._width // heads) ** -0.5))
        k = graph.node("Transpose", k, perm=[0, 1, 2, 4, 3])
        table = np.asarray(params["bias_table"])
        bias = table[flax_swinir.offset_index(self._window)].transpose(2, 0, 1)
        logits = graph.node("MatMul", q, k)
        logits = graph.node("Add", logits, graph.constant(bias, "offset_bias"))
        if shifted:
            logits = graph.node("Add", logits, self._wrap_mask())
        x = graph.node("MatMul", graph.node("Softmax", logits, axis=-1), v)
        x = graph.node("Transpose", x, perm=[0, 1, 3, 2, 4])
        x = graph.node("Reshape", x, graph.integers(0, 0, pixels, self._width))
        return self._dense(x, params["project"])

    def _dense(self, x: Value, params: dict) -> Value:
        graph = self._graph
        x = graph.node("MatMul", x, graph.constant(params["kernel"], "kernel"))
        return graph.node("Add", x, graph.constant(params["bias"], "bias"))

    def _to_windows(self, x: Value) -> Value:
        """Reshapes to `[batch, window, pixel, channel]`."""
        graph, (down, right), window = self._graph, self._across, self._window
        x = graph.node(
            "Reshape", x, graph.join_sizes(0, down, window, right, window, -1)
        )
        x = graph.node("Transpose", x, perm=[0, 1, 3, 2, 4, 5])
        return graph.node("Reshape", x, graph.integers(0, -1, window**2, self._width))

    def _from_windows(self, x: Value) -> Value:
        graph, (down, right), window = self._graph, self._across, self._window
        x = graph.node(
            "Reshape", x, graph.join_sizes(0, down, right, window, window, -1)
        )
        x = graph.node("Transpose", x, perm=[0, 1, 3, 2, 4, 5])
        return graph.node("Reshape", x, graph.join_sizes(0, *self._sizes, -1))

    def _roll(self, x: Value, by: int) -> Value:
        """Rolls the picture up and left, cyclically."""
        graph = self._graph
        end = np.iinfo(np.int64).max
        for axis in (1, 2):
            at = graph.integers(axis)
            cut = graph.integers(by)
            first = graph.node("Slice", x, graph.integers(0), cut, at)
            rest = graph.node("Slice", x, cut, graph.integers(end), at)
            x = graph.node("Concat", rest, first, axis=axis)
        return x

    def _wrap_mask(self) -> Value:
        """The mask of logits of pixels from opposite borders.

        It is computed from the size of the picture: `[window, 1, pixel, pixel]`.
        """
        if self._apart is not None:
            return self._apart
        graph, window = self._graph, self._window
        wrapped = []
        for size in self._sizes:
            start = graph.join_sizes(size)
            end = graph.node("Squeeze", start)
            line = graph.node(
                "Range", graph.constant(np.int64(0)), end, graph.constant(np.int64(1))
            )
            border = graph.node("Sub", start, graph.integers(window // 2))
            line = graph.node("GreaterOrEqual", line, border)
            wrapped.append(graph.node("Cast", line, to=TensorProto.INT64))
        down = graph.node("Mul", wrapped[0], graph.integers(2))
        down = graph.node("Unsqueeze", down, graph.integers(1))
        region = graph.node("Add", down, wrapped[1])
        rows, columns = self._across
        region = graph.node(
            "Reshape", region, graph.join_sizes(rows, window, columns, window)
        )
        region = graph.node("Transpose", region, perm=[0, 2, 1, 3])
        region = graph.node("Reshape", region, graph.integers(-1, window**2))
        one, other = (
            graph.node("Unsqueeze", region, graph.integers(*axes))
            for axes in ((1, 3), (1, 2))
        )
        together = graph.node("Equal", one, other)
        self._apart = graph.node(
            "Where", together, graph.scalar(0.0), graph.scalar(flax_swinir.MASK_LOGIT)
        )
        return self._apart


def _to_pixels(graph: Graph, x: Value) -> Value:
    return graph.node("Transpose", x, perm=[0, 2, 3, 1])


def _to_planes(graph: Graph, x: Value) -> Value:
    return graph.node("Transpose", x, perm=[0, 3, 1, 2])
