"""Compiles a network for luma to a WebAssembly module."""

import dataclasses

import numpy as np

from kdsharp.export.network import TrainedNetwork
from kdsharp.export.networks.real_time import BEFORE_GAINS
from kdsharp.export.quantization import Ranges
from kdsharp.web.kernels import assembler, rows

# Calibrated values use 14 bits and a sign, so values up to twice as large still fit.
_FULL = rows.MOST // 2
# The maximum sum of a filter's absolute weights, so that 32-bit sums cannot overflow.
_MOST_WEIGHTS = 2**31 // rows.MOST - 1


@dataclasses.dataclass(frozen=True)
class Kernel:
    """A module and its layout.

    `numbers` are the offsets of each layer's weights, `end` is the start of free
    memory. With `skip`, the last layer but one adds the output of the first. `last` is
    the kernel of the last layer in the order of use, and `scale` the ratio of its input
    step to its output step.
    """

    content: bytes
    width: int
    numbers: list[int]
    end: int
    skip: bool
    last: np.ndarray
    scale: float


def fits(network: TrainedNetwork) -> bool:
    """Whether a network can be compiled to a module."""
    model = network.model
    return (
        network.family == "real_time"
        and (model.channels, model.factor, model.ends) == (1, 2, 3)
        and model.convolution in ("plain", "expanded")
        and model.width % 8 == 0
        and model.depth >= 3
    )


def create(network: TrainedNetwork, ranges: Ranges) -> Kernel:
    """Compiles the module; `ranges` are those of the convolutions' inputs."""
    model = network.model
    steps = _steps(model, ranges)
    data, numbers = bytearray(), []
    for layer in range(1, model.depth + 1):
        numbers.append(len(data))
        slope = network.params.get(f"slope{layer}", np.full(model.width, model.slope))
        data += _numbers(
            network.params[f"conv{layer}"],
            step_in=steps[layer - 1],
            step_out=steps[layer],
            slope=None if layer == model.depth else np.asarray(slope),
        )
    functions = [
        rows.fold(),
        rows.inner("first", 4, model.width),
        rows.inner("inner", model.width, model.width),
        rows.last(model.width),
    ]
    content = assembler.module(functions, bytes(data))
    last = _in_order(network.params[f"conv{model.depth}"]["kernel"])
    scale = steps[-2] / steps[-1]
    return Kernel(content, model.width, numbers, len(data), model.skip, last, scale)


def _steps(model, ranges: Ranges) -> list[float]:
    """The steps of the integers between layers: pixels first, grey levels last.

    The step of pixels is for a span of 1 from black to white; the gain of the first
    layer divides by the span, that of the last layer multiplies by it.
    """
    names = [f"conv{layer}" for layer in range(2, model.depth + 1)]
    if BEFORE_GAINS in ranges:
        # The gains are part of the last kernel.
        names[-1] = BEFORE_GAINS
    most = [max(map(abs, ranges[name])) for name in names]
    inner = [value / _FULL for value in most]
    if model.skip:
        # Values that are added must have the same step.
        inner[0] = inner[-1] = max(inner[0], inner[-1])
    return [1 / 2**rows.SHIFT, *inner, 1.0]


def _numbers(
    params: dict, *, step_in: float, step_out: float, slope: np.ndarray | None
) -> bytes:
    """Encodes weights in the order of use, then steps, biases and slopes."""
    kernel = np.asarray(params["kernel"], np.float64)
    bias = np.asarray(params["bias"], np.float64)
    height, width, channels, _ = kernel.shape
    size = np.abs(kernel).sum((0, 1, 2))
    # Leaves room for rounding errors.
    room = _MOST_WEIGHTS - height * width * channels
    step = np.where(size > 0, size, 1) / room
    most = np.abs(kernel).max((0, 1, 2)) / step
    step *= np.maximum(most / np.iinfo(np.int16).max, 1)
    whole = np.round(kernel / step).astype(np.int16)
    parts = [step * step_in / step_out, bias / step_out]
    if slope is not None:
        parts.append(slope)
    ordered = _in_order(whole).tobytes()
    return ordered + b"".join(np.float32(part).tobytes() for part in parts)


def _in_order(kernel: np.ndarray) -> np.ndarray:
    """Reorders to `[row, column, channel pair, filter group, filter, channel]`."""
    height, width, channels, filters = kernel.shape
    pairs = np.reshape(kernel, (height, width, channels // 2, 2, filters // 4, 4))
    return pairs.transpose(0, 1, 2, 4, 5, 3)
