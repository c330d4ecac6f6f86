"""Blur steps: one kernel per picture, mirrored borders, no clipping or rounding.

With `linear=1` a blur averages linear light, as a lens does, instead of gamma-encoded
values.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

import jax.numpy as jnp
import scipy.fft
from jaxtyping import Array, Float

from kdsharp.core import color
from kdsharp.core.degradations import kernels
from kdsharp.core.degradations.frames import Frame, Planes, Sizes, extend
from kdsharp.core.degradations.steps import BINARY, Range, Step, between
from kdsharp.errors import UserError

# A Gaussian is truncated at this many sigmas, as in SciPy.
_TRUNCATE = 4


def convolve(
    planes: Planes, kernel: kernels.Kernels, sizes: Sizes | None = None
) -> Planes:
    """Convolves each picture with its kernel."""
    height, width = planes.shape[2:]
    radius = kernel.shape[-1] // 2
    # On a CPU the FFT is many times faster than a convolution with a different kernel
    # for each picture.
    shape = (height + 2 * radius, width + 2 * radius)
    fast = _fast(shape)
    planes = extend(planes, sizes, shape, before=radius, mode="symmetric")
    spectrum = jnp.fft.rfft2(planes, s=fast)
    spectrum *= jnp.fft.rfft2(kernel, s=fast)[:, None]
    blurred = jnp.fft.irfft2(spectrum, s=fast)
    return blurred[
        :, :, 2 * radius : 2 * radius + height, 2 * radius : 2 * radius + width
    ]


def _fast(shape: tuple[int, int]) -> tuple[int, int]:
    """Larger sizes of which a Fourier transform is fast."""
    height, width = (scipy.fft.next_fast_len(n, real=True) for n in shape)
    # The type that SciPy's source shows is that of a stand-in for its C.
    return height, width  # pyright: ignore[reportReturnType]


def convolve_separably(
    planes: Planes, taps: Float[Array, "b k"], sizes: Sizes | None = None
) -> Planes:
    """Convolves each picture with its 1-D taps, along rows and along columns."""
    height, width = planes.shape[2:]
    radius = taps.shape[-1] // 2
    shape = (height + 2 * radius, width + 2 * radius)
    planes = extend(planes, sizes, shape, before=radius, mode="symmetric")
    taps = taps.T[:, :, None, None, None]
    # Unrolled, so that XLA fuses each sum into one loop.
    planes = _sum(tap * planes[:, :, i : i + height] for i, tap in enumerate(taps))
    return _sum(tap * planes[:, :, :, i : i + width] for i, tap in enumerate(taps))


def _sum(terms: Iterable[Planes]) -> Planes:
    return jnp.asarray(sum(terms))


def gaussian_radius(sigma: float) -> int:
    """The radius at which a Gaussian is cut off."""
    return int(_TRUNCATE * sigma + 0.5)


@dataclass(frozen=True)
class _Blur(Step):
    @property
    def linear(self) -> str:
        """A field of each blur, behind its own."""
        raise NotImplementedError

    def _apply(self, frame: Frame, **values: Array) -> Frame:
        planes = frame.planes
        if self.linear == "1":
            planes = color.srgb_to_linear(planes)
        planes = self._blur(planes, frame.sizes, **values)
        if self.linear == "1":
            planes = color.linear_to_srgb(planes)
        return frame._replace(planes=planes)

    def _blur(self, planes: Planes, sizes: Sizes | None, **values: Array) -> Planes:
        return convolve(planes, self._kernel(**values), sizes)

    def _kernel(self, **values: Array) -> kernels.Kernels:
        raise NotImplementedError


@dataclass(frozen=True)
class Gaussian(_Blur):
    """`gaussian:SIGMA[,across=SIGMA[,angle=DEGREES]]`: isotropic or anisotropic."""

    name: ClassVar[str] = "gaussian"
    sigma: Range = field(default=Range(0.5, 3), metadata=between(0, 16))
    across: Range | None = field(default=None, metadata=between(0, 16))
    angle: Range | None = field(default=None, metadata=between(-360, 360))
    linear: str = field(default="0", metadata=BINARY)

    def __post_init__(self):
        if self.angle is not None and self.across is None:
            raise UserError("gaussian takes an angle only with across=SIGMA")
        if self.across is not None and self.angle is None:
            object.__setattr__(self, "angle", Range(0, 180))

    def _blur(self, planes: Planes, sizes: Sizes | None, **values: Array) -> Planes:
        if self.across is not None:
            return super()._blur(planes, sizes, **values)
        radius = gaussian_radius(self.sigma.high)
        taps = kernels.gaussian_taps(values["sigma"], radius)
        return convolve_separably(planes, taps, sizes)

    def _kernel(self, sigma: Array, across: Array, angle: Array) -> kernels.Kernels:
        assert self.across is not None
        radius = gaussian_radius(max(self.sigma.high, self.across.high))
        return kernels.gaussian(sigma, across, angle, radius)


@dataclass(frozen=True)
class Defocus(_Blur):
    """`defocus:RADIUS`: blur by a disc."""

    name: ClassVar[str] = "defocus"
    radius: Range = field(default=Range(0.5, 4), metadata=between(0, 64))
    linear: str = field(default="0", metadata=BINARY)

    def _kernel(self, radius: Array) -> kernels.Kernels:
        return kernels.disc(radius, math.ceil(self.radius.high))


@dataclass(frozen=True)
class Motion(_Blur):
    """`motion:LENGTH[,ANGLE]`: blur along a line."""

    name: ClassVar[str] = "motion"
    length: Range = field(default=Range(1, 15), metadata=between(0, 128))
    angle: Range = field(default=Range(0, 180), metadata=between(-360, 360))
    linear: str = field(default="0", metadata=BINARY)

    def _kernel(self, length: Array, angle: Array) -> kernels.Kernels:
        return kernels.line(length, angle, math.ceil(self.length.high / 2))


@dataclass(frozen=True)
class Shake(_Blur):
    """`shake:LENGTH`: blur along the random path of a hand-held camera."""

    name: ClassVar[str] = "shake"
    random: ClassVar[bool] = True
    length: Range = field(default=Range(1, 20), metadata=between(0, 128))
    linear: str = field(default="0", metadata=BINARY)

    def _kernel(self, length: Array, seed: Array) -> kernels.Kernels:
        return kernels.shake(length, seed, math.ceil(self.length.high / 2))
