"""A small builder of ONNX graphs: pictures are planes, sizes are numbers or open.

Inside a graph a picture is `[batch, channel, height, width]`. A size is a Python number
where it is known, and else the name of a tensor that holds it when the graph runs; the
same lines of an architecture serve both.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# Numbers of a constant that is not worth a place of its own.
_SMALL = 16

# The largest integer in a kernel: of 7 bits, because processors without VNNI add two
# products with an input's 8 bits in 16, where of 8 bits they would not fit.
_MOST = 63

# Of a range that holds one number alone.
_LEAST = 1e-6

# Of a leaky ReLU: what goes into it, beside what comes out.
BEFORE = "before "

Value = str
"""The name of a tensor in the graph."""

Size = int | Value


@dataclasses.dataclass(frozen=True)
class Gains:
    """`[1 or batch, filters, 1, 1]`, which filters are multiplied by.

    They are `shared` where they are the same for all pictures.
    """

    value: Value
    shared: bool


class Graph:
    """Nodes and constants so far; every method that adds a node returns its output.

    Of `float16`, nodes between `enter` and `leave` compute in it; of `bfloat16`, which
    few runtimes compute in, large constants are stored in it. What has a range in
    `ranges`, its least and its most, goes through 8 bits. `watched` tells by the same
    names what a range can be given for.
    """

    def __init__(
        self,
        dtype: str = "float32",
        ranges: Mapping[str, tuple[float, float]] | None = None,
    ):
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.watched: dict[str, Value] = {}
        self._dtype = dtype
        self._inside = False
        self._ranges = dict(ranges or {})
        self._bounds: dict[Value, tuple[float, float]] = {}
        self._names: dict[str, int] = {}
        self._known: dict[tuple, Value] = {}

    def node(self, operator: str, *inputs: Value, name: str = "", **attributes):
        """Returns the one output of a new node."""
        output = self._name(name or operator.lower())
        self.nodes.append(
            helper.make_node(operator, inputs, [output], name=output, **attributes)
        )
        return output

    def name_last(self, name: Value) -> None:
        """Calls what the newest node gives by that name."""
        self.nodes[-1].output[0] = name

    def constant(self, value, name: str = "constant") -> Value:
        """Returns a tensor that never changes; equal small ones are one."""
        array = np.asarray(value)
        if self._inside and array.dtype == np.float32:
            if self._dtype == "float16":
                array = array.astype(np.float16)
            elif self._dtype == "bfloat16" and array.size > _SMALL:
                stored = self._store(array.astype(ml_dtypes.bfloat16), f"{name}_stored")
                return self.node("Cast", stored, to=TensorProto.FLOAT, name=name)
        return self._store(array, name)

    def _store(self, array: np.ndarray, name: str) -> Value:
        key = (array.dtype.str, array.shape, array.tobytes())
        if array.size <= _SMALL and key in self._known:
            return self._known[key]
        self.constants.append(numpy_helper.from_array(array, self._name(name)))
        self._known[key] = self.constants[-1].name
        return self._known[key]

    def number(self, value: float, name: str = "number") -> Value:
        """Returns a float32 scalar."""
        return self.constant(np.float32(value), name)

    def integers(self, *values: int) -> Value:
        """Returns a row of int64."""
        return self.constant(np.array(values, np.int64), "integers")

    def enter(self, x: Value) -> Value:
        """Returns x as what the network computes in."""
        self._inside = True
        if self._dtype == "float16":
            return self.node("Cast", x, to=TensorProto.FLOAT16)
        return x

    def leave(self, x: Value) -> Value:
        """Returns what the network gave as float32."""
        self._inside = False
        if self._dtype == "float16":
            return self.node("Cast", x, to=TensorProto.FLOAT)
        return x

    def bound(self, x: Value, low: float, high: float) -> None:
        """Says that x has no other values, spaced as 8 bits are."""
        self._bounds[x] = low, high

    # Sizes.

    def size(self, x: Value, axis: int) -> Value:
        """Returns a tensor's open size, a row of one."""
        return self.node("Shape", x, start=axis, end=axis + 1, name="size")

    def row(self, *sizes: Size) -> Value:
        """Returns sizes as one row."""
        known = [size for size in sizes if isinstance(size, int)]
        if len(known) == len(sizes):
            return self.integers(*known)
        return self.node("Concat", *map(self._as_row, sizes), axis=0)

    def to_multiple(self, size: Size, multiple: int) -> Size:
        """Returns the size, rounded up."""
        if isinstance(size, int):
            return -(-size // multiple) * multiple
        if multiple == 1:
            return size
        by = self.integers(multiple)
        more = self.node("Add", size, self.integers(multiple - 1))
        return self.node("Mul", self.node("Div", more, by), by)

    def divided(self, size: Size, by: int) -> Size:
        """Returns the size, a multiple of `by`, divided."""
        if isinstance(size, int):
            return size // by
        return self.node("Div", size, self.integers(by))

    def times(self, size: Size, by: int) -> Size:
        """Returns the size, multiplied."""
        if isinstance(size, int):
            return size * by
        return self.node("Mul", size, self.integers(by))

    # Pictures.

    def pad_below_right(
        self, x: Value, sizes: tuple[Size, Size], padded: tuple[Size, Size]
    ) -> Value:
        """Returns the picture with its mirror image below and right."""
        for axis, size, wanted in zip((2, 3), sizes, padded, strict=True):
            if size != wanted:
                x = self._mirrored(x, axis, size, wanted)
        return x

    def crop(
        self, x: Value, sizes: tuple[Size, Size], padded: tuple[Size, Size]
    ) -> Value:
        """Returns the picture without what was padded."""
        if sizes == padded:
            return x
        return self.node(
            "Slice", x, self.integers(0, 0), self.row(*sizes), self.integers(2, 3)
        )

    def convolution(
        self,
        x: Value,
        params: dict,
        *,
        stride: int = 1,
        dilation: int = 1,
        padding: int | None = None,
        group: int = 1,
        name: str = "conv",
        gains: Value = "",
    ) -> Value:
        """Returns a Flax convolution with its kernel `[h, w, in, out]` and its bias.

        Padding is by default what keeps the size at stride 1. `gains` `[1, in, 1, 1]`
        multiply what goes in, by way of the kernel, which is then not of 8 bits.
        """
        kernel = np.asarray(params["kernel"], np.float32)
        size = kernel.shape[0]
        around = dilation * (size // 2) if padding is None else padding
        self.watched[name] = x
        kernel = kernel.transpose(3, 2, 0, 1)
        bias = np.asarray(params.get("bias", np.zeros(len(kernel))), np.float32)
        if name in self._ranges:
            low, high = self._bounds.get(x, self._ranges[name])
            x, step = self._rounded(x, low, high)
            inputs = self._in_8_bits(kernel, bias, step, name)
        else:
            inputs = [self.constant(kernel, f"{name}_kernel")]
            if gains:
                inputs[0] = self.node("Mul", inputs[0], gains, name=f"{name}_gained")
            if "bias" in params:
                inputs.append(self.constant(bias, f"{name}_bias"))
        return self.node(
            "Conv",
            x,
            *inputs,
            kernel_shape=[size, size],
            strides=[stride, stride],
            dilations=[dilation, dilation],
            pads=[around] * 4,
            group=group,
            name=name,
        )

    def in_8_bits(self, name: str) -> bool:
        """Whether the convolution of that name has a range, and so integers."""
        return name in self._ranges

    def transposed_convolution(
        self, x: Value, params: dict, *, padding: int, name: str
    ) -> Value:
        """Returns a Flax transposed convolution of stride 2; padding as PyTorch's."""
        # Flax slides the kernel over a spread-out picture, so that it lies turned.
        kernel = np.asarray(params["kernel"], np.float32)[::-1, ::-1]
        size = kernel.shape[0]
        return self.node(
            "ConvTranspose",
            x,
            self.constant(kernel.transpose(2, 3, 0, 1), f"{name}_kernel"),
            self.constant(np.asarray(params["bias"], np.float32), f"{name}_bias"),
            kernel_shape=[size, size],
            strides=[2, 2],
            pads=[padding] * 4,
            name=name,
        )

    def relu(self, x: Value) -> Value:
        """Returns x, or 0 where it is less."""
        return self.node("Relu", x)

    def leaky_relu(self, x: Value, slope: float) -> Value:
        """Returns x, or so many times of it where it is less than 0."""
        return self.node("LeakyRelu", self._before_relu(x), alpha=float(slope))

    def learned_relu(self, x: Value, slopes: np.ndarray) -> Value:
        """Returns the same with a slope for each channel."""
        slopes = np.asarray(slopes, np.float32)[:, None, None]
        return self.node("PRelu", self._before_relu(x), self.constant(slopes, "slopes"))

    def _before_relu(self, x: Value) -> Value:
        name = BEFORE + x
        self.watched[name] = x
        if name in self._ranges:
            x, _ = self._rounded(x, *self._ranges[name])
        return x

    def half_size(self, x: Value) -> Value:
        """Returns the largest of each 2x2 pixels."""
        return self.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])

    def double_size(self, x: Value) -> Value:
        """Returns the picture at twice its height and width, interpolated linearly."""
        return self.node(
            "Resize",
            x,
            "",
            # Float32 whatever the network computes in.
            self._store(np.array([1, 1, 2, 2], np.float32), "twice"),
            mode="linear",
            coordinate_transformation_mode="half_pixel",
        )

    def channels(self, values: Sequence[float]) -> Value:
        """Returns a number for each channel, to add to or multiply pictures by."""
        numbers = np.array(values, np.float32).reshape(1, -1, 1, 1)
        return self.constant(numbers, "channels")

    def _mirrored(self, x: Value, axis: int, size: Size, wanted: Size) -> Value:
        """Returns x and, behind it, its own last lines in reverse.

        A picture smaller than its margin is mirrored again and again.
        """
        if isinstance(size, int) and isinstance(wanted, int):
            there = np.arange(size, wanted) % (2 * size)
            index = self.constant(np.minimum(there, 2 * size - 1 - there), "mirror")
        else:
            assert isinstance(size, Value) and isinstance(wanted, Value)
            two = self.node("Mul", size, self.integers(2))
            ends = [self.node("Squeeze", end) for end in (size, wanted)]
            there = self.node("Range", *ends, self.constant(np.int64(1)))
            there = self.node("Mod", there, two)
            last = self.node("Sub", two, self.integers(1))
            index = self.node("Min", there, self.node("Sub", last, there))
        return self.node(
            "Concat", x, self.node("Gather", x, index, axis=axis), axis=axis
        )

    def _rounded(self, x: Value, low: float, high: float) -> tuple[Value, np.float32]:
        """Returns the nearest of 256 numbers from low to high, and their distance."""
        low, high = min(low, 0.0), max(high, low + _LEAST, 0.0)
        step = np.float32((high - low) / 255)
        scale = self.constant(step, "scale")
        zero = self.constant(np.uint8(np.clip(round(-low / step), 0, 255)), "zero")
        x = self.node("QuantizeLinear", x, scale, zero)
        return self.node("DequantizeLinear", x, scale, zero), step

    def _in_8_bits(
        self, kernel: np.ndarray, bias: np.ndarray, step: np.float32, name: str
    ) -> list[Value]:
        """Returns a kernel and a bias as integers times a step for each filter."""
        steps = np.abs(kernel).max((1, 2, 3)) / _MOST
        # What is 0 everywhere may have any.
        steps = np.where(steps > 0, steps, 1).astype(np.float32)
        whole = np.round(kernel / steps[:, None, None, None]).astype(np.int8)
        added = np.round(bias / (steps * step)).astype(np.int32)
        return [
            self._from_integers(whole, steps, f"{name}_kernel"),
            self._from_integers(added, steps * step, f"{name}_bias"),
        ]

    def _from_integers(self, whole: np.ndarray, steps: np.ndarray, name: str) -> Value:
        """Returns integers times their steps, one for each of the first axis."""
        return self.node(
            "DequantizeLinear",
            self.constant(whole, name),
            self.constant(steps, f"{name}_scale"),
            self.constant(np.zeros(len(steps), whole.dtype), f"{name}_zero"),
            axis=0,
        )

    def _as_row(self, size: Size) -> Value:
        return self.integers(size) if isinstance(size, int) else size

    def _name(self, wish: str) -> str:
        count = self._names.get(wish, 0)
        self._names[wish] = count + 1
        return f"{wish}_{count}" if count else wish
