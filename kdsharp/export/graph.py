"""A small builder of ONNX graphs.

Inside a graph a picture is `[batch, channel, height, width]`. A size is a Python
integer if it is known, otherwise the name of a tensor that holds it at run time;
emitters work with both.
"""

import dataclasses
from collections.abc import Sequence

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from kdsharp.export.quantization import Convolution, Quantization, RoundedKernel

# Constants of up to this many numbers are shared and never stored in 16 bits.
_SMALL = 16

# The least width of a range.
_MIN_RANGE = 1e-6

# Prefix of the name that a leaky ReLU's input has among the watched values.
BEFORE = "before "

Value = str
"""The name of a tensor in the graph."""

Size = int | Value


@dataclasses.dataclass(frozen=True)
class Gains:
    """Factors of filters, `[1 or batch, filters, 1, 1]`.

    `shared` tells that all pictures of a batch have the same gains.
    """

    value: Value
    shared: bool


class Graph:
    """The nodes and constants of a graph; methods that add a node return its output.

    With `dtype` float16, nodes between `enter` and `leave` compute in it; with
    bfloat16, which few runtimes compute in, large constants are stored in it. Values
    with a range in `quantization` are quantised to 8 bits. `watched` lists, by the same
    names, the values that ranges can be given for, `convolutions` those that kernels
    can be given for, and `slopes` those of leaky ReLUs.
    """

    def __init__(
        self,
        dtype: str = "float32",
        quantization: Quantization | None = None,
    ):
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.watched: dict[str, Value] = {}
        self.convolutions: dict[str, Convolution] = {}
        self.slopes: dict[str, float] = {}
        self._dtype = dtype
        self._inside = False
        self._quantization = quantization or Quantization({}, {}, {})
        self._bounds: dict[Value, tuple[float, float]] = {}
        self._names: dict[str, int] = {}
        self._known: dict[tuple, Value] = {}

    def node(self, operator: str, *inputs: Value, name: str = "", **attributes):
        """Adds a node and returns its output."""
        output = self._name(name or operator.lower())
        self.nodes.append(
            helper.make_node(operator, inputs, [output], name=output, **attributes)
        )
        return output

    def rename_last(self, name: Value) -> None:
        """Renames the output of the newest node."""
        self.nodes[-1].output[0] = name

    def constant(self, value, name: str = "constant") -> Value:
        """Adds a constant; equal small ones are shared."""
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

    def scalar(self, value: float, name: str = "number") -> Value:
        """Adds a float32 scalar."""
        return self.constant(np.float32(value), name)

    def integers(self, *values: int) -> Value:
        """Adds a vector of int64."""
        return self.constant(np.array(values, np.int64), "integers")

    def enter(self, x: Value) -> Value:
        """Casts x to the element type of the network."""
        self._inside = True
        if self._dtype == "float16":
            return self.node("Cast", x, to=TensorProto.FLOAT16)
        return x

    def leave(self, x: Value) -> Value:
        """Casts the network's output back to float32."""
        self._inside = False
        if self._dtype == "float16":
            return self.node("Cast", x, to=TensorProto.FLOAT)
        return x

    def limit_values(self, x: Value, low: float, high: float) -> None:
        """Declares that x only takes values from low to high in 256 uniform steps."""
        self._bounds[x] = low, high

    # Sizes.

    def size(self, x: Value, axis: int) -> Value:
        """The size of a tensor along an axis at run time, as a vector of one."""
        return self.node("Shape", x, start=axis, end=axis + 1, name="size")

    def join_sizes(self, *sizes: Size) -> Value:
        """Joins sizes into one vector."""
        known = [size for size in sizes if isinstance(size, int)]
        if len(known) == len(sizes):
            return self.integers(*known)
        return self.node("Concat", *map(self._as_vector, sizes), axis=0)

    def round_up(self, size: Size, multiple: int) -> Size:
        """Rounds a size up to a multiple."""
        if isinstance(size, int):
            return -(-size // multiple) * multiple
        if multiple == 1:
            return size
        by = self.integers(multiple)
        more = self.node("Add", size, self.integers(multiple - 1))
        return self.node("Mul", self.node("Div", more, by), by)

    def divide(self, size: Size, by: int) -> Size:
        """Divides a size, which is a multiple of `by`."""
        if isinstance(size, int):
            return size // by
        return self.node("Div", size, self.integers(by))

    def multiply(self, size: Size, by: int) -> Size:
        """Multiplies a size."""
        if isinstance(size, int):
            return size * by
        return self.node("Mul", size, self.integers(by))

    # Pictures.

    def pad_below_right(
        self, x: Value, sizes: tuple[Size, Size], padded: tuple[Size, Size]
    ) -> Value:
        """Pads a picture below and right by mirroring."""
        for axis, size, wanted in zip((2, 3), sizes, padded, strict=True):
            if size != wanted:
                x = self._pad_mirrored(x, axis, size, wanted)
        return x

    def crop(
        self, x: Value, sizes: tuple[Size, Size], padded: tuple[Size, Size]
    ) -> Value:
        """Removes the padding."""
        if sizes == padded:
            return x
        return self.node(
            "Slice",
            x,
            self.integers(0, 0),
            self.join_sizes(*sizes),
            self.integers(2, 3),
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
        """Adds a Flax convolution with kernel `[h, w, in, out]` and bias.

        The default padding keeps the size at stride 1. `gains` `[1, in, 1, 1]` scale
        the input by scaling the kernel, which is then not quantised.
        """
        kernel = np.asarray(params["kernel"], np.float32)
        size = kernel.shape[0]
        around = dilation * (size // 2) if padding is None else padding
        self.watched[name] = x
        kernel = kernel.transpose(3, 2, 0, 1)
        bias = np.asarray(params.get("bias", np.zeros(len(kernel))), np.float32)
        given = x
        if self.is_quantized(name):
            low, high = self._bounds.get(x, self._quantization.ranges[name])
            x, step = self._quantize(x, low, high)
            inputs = self._dequantize_kernel(
                self._quantization.kernels[name], step, name
            )
        else:
            inputs = [self.constant(kernel, f"{name}_kernel")]
            if gains:
                inputs[0] = self.node("Mul", inputs[0], gains, name=f"{name}_gained")
            if "bias" in params:
                inputs.append(self.constant(bias, f"{name}_bias"))
        output = self.node(
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
        self.convolutions[name] = Convolution(
            given, output, kernel, bias, dilation, group
        )
        return output

    def is_quantized(self, name: str) -> bool:
        """Whether the watched value of that name is quantised."""
        return name in self._quantization.ranges

    def transposed_convolution(
        self, x: Value, params: dict, *, padding: int, name: str
    ) -> Value:
        """Adds a Flax transposed convolution of stride 2; pads as PyTorch does."""
        # Flax convolves the dilated input, so its kernel is rotated by 180 degrees.
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
        """Adds a ReLU."""
        return self.node("Relu", x)

    def leaky_relu(self, x: Value, slope: float) -> Value:
        """Adds a leaky ReLU."""
        x = self._before_relu(x, slope)
        return self.node("LeakyRelu", x, alpha=float(slope))

    def prelu(self, x: Value, slopes: np.ndarray) -> Value:
        """Adds a PReLU with one slope per channel."""
        slopes = np.asarray(slopes, np.float32)[:, None, None]
        x = self._before_relu(x, float(np.mean(np.abs(slopes))))
        return self.node("PRelu", x, self.constant(slopes, "slopes"))

    def _before_relu(self, x: Value, slope: float) -> Value:
        name = BEFORE + x
        self.watched[name] = x
        self.slopes[name] = slope
        if self.is_quantized(name):
            x, _ = self._quantize(x, *self._quantization.ranges[name])
        return x

    def max_pool(self, x: Value) -> Value:
        """Adds 2x2 max pooling."""
        return self.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])

    def upsample(self, x: Value) -> Value:
        """Adds bilinear upsampling by 2."""
        return self.node(
            "Resize",
            x,
            "",
            # Always float32.
            self._store(np.array([1, 1, 2, 2], np.float32), "twice"),
            mode="linear",
            coordinate_transformation_mode="half_pixel",
        )

    def per_channel(self, values: Sequence[float]) -> Value:
        """Adds a constant with one value per channel."""
        numbers = np.array(values, np.float32).reshape(1, -1, 1, 1)
        return self.constant(numbers, "channels")

    def _pad_mirrored(self, x: Value, axis: int, size: Size, wanted: Size) -> Value:
        """Appends the last lines of x in reverse, up to size `wanted`.

        A picture smaller than the padding is mirrored repeatedly.
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

    def _quantize(self, x: Value, low: float, high: float) -> tuple[Value, np.float32]:
        """Quantises x to 256 levels from low to high; also returns the step."""
        low, high = min(low, 0.0), max(high, low + _MIN_RANGE, 0.0)
        step = np.float32((high - low) / 255)
        scale = self.constant(step, "scale")
        zero = self.constant(np.uint8(np.clip(round(-low / step), 0, 255)), "zero")
        x = self.node("QuantizeLinear", x, scale, zero)
        return self.node("DequantizeLinear", x, scale, zero), step

    def _dequantize_kernel(
        self, kernel: RoundedKernel, step: np.float32, name: str
    ) -> list[Value]:
        """Dequantises a kernel and its bias for inputs with that step."""
        steps = kernel.steps * step
        added = np.round(kernel.bias / steps).astype(np.int32)
        return [
            self._dequantize(kernel.whole, kernel.steps, f"{name}_kernel"),
            self._dequantize(added, steps, f"{name}_bias"),
        ]

    def _dequantize(self, whole: np.ndarray, steps: np.ndarray, name: str) -> Value:
        """Dequantises integers with one step per entry of the first axis."""
        return self.node(
            "DequantizeLinear",
            self.constant(whole, name),
            self.constant(steps, f"{name}_scale"),
            self.constant(np.zeros(len(steps), whole.dtype), f"{name}_zero"),
            axis=0,
        )

    def _as_vector(self, size: Size) -> Value:
        return self.integers(size) if isinstance(size, int) else size

    def _name(self, name: str) -> str:
        count = self._names.get(name, 0)
        self._names[name] = count + 1
        return f"{name}_{count}" if count else name
