"""Computes receptive fields by tracing spans backwards through a network.

A span is the range of a layer's inputs that its outputs depend on: it starts as one
restored pixel and grows with each layer, from the last to the first.
"""

import dataclasses
from collections.abc import Callable

from kdsharp.models.family import ReceptiveField


@dataclasses.dataclass(frozen=True)
class Span:
    """An inclusive range of positions along an axis."""

    first: int
    last: int

    def convolved(self, radius: int) -> "Span":
        """The inputs of a convolution with this kernel radius."""
        return Span(self.first - radius, self.last + radius)

    def halved(self, factor: int = 2) -> "Span":
        """The inputs of depth-to-space, in the smaller picture."""
        return Span(self.first // factor, self.last // factor)

    def doubled(self, factor: int = 2) -> "Span":
        """The inputs of space-to-depth or pooling, in the larger picture."""
        return Span(self.first * factor, self.last * factor + factor - 1)

    def interpolated(self) -> "Span":
        """The inputs of bilinear upsampling by 2."""
        return Span((self.first - 1) // 2, (self.last + 1) // 2)

    def windowed(self, window: int, shift: int) -> "Span":
        """The inputs of window attention: all windows that overlap the span."""
        first = (self.first - shift) // window * window + shift
        last = (self.last - shift) // window * window + shift + window - 1
        return Span(first, last)


def receptive_field(
    look: Callable[[Span], Span], multiple: int, floats_per_pixel: float
) -> ReceptiveField:
    """The receptive field of a network, given `look`, which traces spans backwards.

    Its radius is the largest over the pixels of a square of `multiple` pixels.
    """
    radius = 0
    for pixel in range(multiple):
        span = look(Span(pixel, pixel))
        radius = max(radius, pixel - span.first, span.last - pixel)
    return ReceptiveField(radius, multiple, round(4 * floats_per_pixel))


def chain(depth: int, width: int) -> ReceptiveField:
    """The receptive field of `depth` 3x3 convolutions in sequence."""
    # A layer's input and output are in memory at once.
    return receptive_field(lambda span: span.convolved(depth), 1, 2 * width)
