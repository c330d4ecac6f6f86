"""Receptive fields, found by following a network backwards.

A span is the places that some layer's outputs depend on: it starts as a single restored
pixel and grows with each layer, from the last to the first.
"""

import dataclasses
from collections.abc import Callable

from kdsharp.models.family import ReceptiveField


@dataclasses.dataclass(frozen=True)
class Span:
    """Places along an axis, from the first to the last."""

    first: int
    last: int

    def convolved(self, radius: int) -> "Span":
        """The inputs of a convolution with a kernel of that radius."""
        return Span(self.first - radius, self.last + radius)

    def halved(self, factor: int = 2) -> "Span":
        """The inputs of unfolding: places in the smaller picture."""
        return Span(self.first // factor, self.last // factor)

    def doubled(self, factor: int = 2) -> "Span":
        """The inputs of folding or pooling: places in the larger picture."""
        return Span(self.first * factor, self.last * factor + factor - 1)

    def interpolated(self) -> "Span":
        """The inputs of bilinear doubling: two neighbours for each place."""
        return Span((self.first - 1) // 2, (self.last + 1) // 2)

    def windowed(self, window: int, shift: int) -> "Span":
        """The inputs of attention: every window that holds a place."""
        first = (self.first - shift) // window * window + shift
        last = (self.last - shift) // window * window + shift + window - 1
        return Span(first, last)


def receptive_field(
    look: Callable[[Span], Span], multiple: int, floats_per_pixel: float
) -> ReceptiveField:
    """The receptive field of a network that follows spans backwards by `look`.

    It is that of the farthest-looking pixel of a square of `multiple` pixels.
    """
    radius = 0
    for pixel in range(multiple):
        span = look(Span(pixel, pixel))
        radius = max(radius, pixel - span.first, span.last - pixel)
    return ReceptiveField(radius, multiple, round(4 * floats_per_pixel))


def of_chain(depth: int, width: int) -> ReceptiveField:
    """The receptive field of `depth` 3x3 convolutions, one after another."""
    # A layer's input and its output are in memory at once.
    return receptive_field(lambda span: span.convolved(depth), 1, 2 * width)
