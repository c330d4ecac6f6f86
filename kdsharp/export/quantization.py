"""What an int8 graph needs to know: ranges of values, and rounded kernels."""

import dataclasses
from collections.abc import Mapping
from typing import Self

import numpy as np
from jaxtyping import Float, Int8

Ranges = Mapping[str, tuple[float, float]]
"""The lowest and highest value that 8 bits represent, by the names of values."""

# The largest integer of a kernel. It has 7 bits, because processors without VNNI add
# two products in 16 bits, which would overflow with 8 bits.
LARGEST = 63


@dataclasses.dataclass(frozen=True)
class Convolution:
    """A convolution before it is quantised; `input` and `output` name values."""

    input: str
    output: str
    kernel: Float[np.ndarray, "out inputs h w"]
    bias: Float[np.ndarray, "out"]
    dilation: int
    group: int

    def scaled(
        self,
        inputs: Float[np.ndarray, "inputs"] | float = 1.0,
        outputs: Float[np.ndarray, "out"] | float = 1.0,
    ) -> Self:
        """Multiplies what the kernel has for each input, and each output."""
        into = np.reshape(inputs, (-1, 1, 1))
        kernel = self.kernel * into * np.reshape(outputs, (-1, 1, 1, 1))
        return dataclasses.replace(self, kernel=kernel, bias=self.bias * outputs)


@dataclasses.dataclass(frozen=True)
class RoundedKernel:
    """A kernel as integers, with a step for each filter, and its bias."""

    whole: Int8[np.ndarray, "out inputs h w"]
    steps: Float[np.ndarray, "out"]
    bias: Float[np.ndarray, "out"]


@dataclasses.dataclass(frozen=True)
class Quantization:
    """What 8 bits represent; values with an entry in `ranges` are quantised.

    Kernels and ranges are those of equalised filters, while `observed` has the ranges
    of values as the network computes them.
    """

    ranges: Ranges
    kernels: Mapping[str, RoundedKernel]
    observed: Ranges
