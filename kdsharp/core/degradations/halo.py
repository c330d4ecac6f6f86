"""Halos of in-camera sharpening: the picture after an unsharp mask."""

from dataclasses import dataclass, field
from typing import ClassVar

from jaxtyping import Array

from kdsharp.core.degradations import kernels
from kdsharp.core.degradations.blurs import convolve_separably, gaussian_radius
from kdsharp.core.degradations.frames import Frame
from kdsharp.core.degradations.rounding import to_8_bits
from kdsharp.core.degradations.steps import Range, Step, between


@dataclass(frozen=True)
class Halo(Step):
    """`halo:AMOUNT[,SIGMA]`: an unsharp mask, rounded to 8 bits as by a camera."""

    name: ClassVar[str] = "halo"
    amount: Range = field(default=Range(0.5, 1.5), metadata=between(0, 10))
    sigma: Range = field(default=Range(1, 2), metadata=between(0, 16))

    def _apply(self, frame: Frame, amount: Array, sigma: Array) -> Frame:
        taps = kernels.gaussian_taps(sigma, gaussian_radius(self.sigma.high))
        soft = convolve_separably(frame.planes, taps, frame.sizes)
        detail = amount[:, None, None, None] * (frame.planes - soft)
        return frame._replace(planes=to_8_bits(frame.planes + detail))
