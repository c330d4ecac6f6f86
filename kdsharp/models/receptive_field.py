"""How far networks look, and which grid they work on: what tiles have to respect.

A network is followed backwards, from one restored pixel to those that it depends on.
"""

import dataclasses

import flax.linen as nn

from kdsharp.models.dncnn import DnCNN
from kdsharp.models.encoder_decoder import EncoderDecoder
from kdsharp.models.light_cnn import LightCNN
from kdsharp.models.plain_cnn import PlainCNN
from kdsharp.models.real_time import RealTime
from kdsharp.models.swinir import SwinIR
from kdsharp.models.unet import SeparableUNet, UNet


@dataclasses.dataclass(frozen=True)
class ReceptiveField:
    """What a restored pixel depends on.

    No pixel farther than `radius` along either axis, as long as the picture is cut at
    multiples of `multiple`. `bytes_per_pixel` is about what a picture takes to restore.
    Gains that a network finds by its context are of the whole picture, and not counted.
    """

    radius: int
    multiple: int
    bytes_per_pixel: int


@dataclasses.dataclass(frozen=True)
class _Span:
    """Places along an axis, from the first to the last."""

    first: int
    last: int

    def convolved(self, radius: int) -> "_Span":
        return _Span(self.first - radius, self.last + radius)

    def halved(self, factor: int = 2) -> "_Span":
        """Returns the places of the smaller picture that these were unfolded from."""
        return _Span(self.first // factor, self.last // factor)

    def doubled(self, factor: int = 2) -> "_Span":
        """Returns the places of the larger picture that these were folded from."""
        return _Span(self.first * factor, self.last * factor + factor - 1)

    def interpolated(self) -> "_Span":
        """Returns the places that a doubled picture lies between: two for each."""
        return _Span((self.first - 1) // 2, (self.last + 1) // 2)

    def windowed(self, window: int, shift: int) -> "_Span":
        """Returns the windows that hold these places."""
        first = (self.first - shift) // window * window + shift
        last = (self.last - shift) // window * window + shift + window - 1
        return _Span(first, last)


def receptive_field(model: nn.Module) -> ReceptiveField:
    """Returns the receptive field of one of `models.MODELS`."""
    return _FAMILIES[type(model)](model)


def _farthest(look, multiple: int) -> int:
    """Returns how far the farthest-looking pixel of a square looks."""
    radius = 0
    for pixel in range(multiple):
        span = look(_Span(pixel, pixel))
        radius = max(radius, pixel - span.first, span.last - pixel)
    return radius


def _floats(per_pixel: float) -> int:
    return round(4 * per_pixel)


def _chain(depth: int, width: int) -> ReceptiveField:
    # A layer's input and its output are there at once.
    return ReceptiveField(depth, 1, _floats(2 * width))


def _real_time(model: RealTime) -> ReceptiveField:
    factor = model.factor
    around = 2 * (model.ends // 2) + model.depth - 2
    radius = _farthest(
        lambda span: span.halved(factor).convolved(around).doubled(factor), factor
    )
    widest = max(model.width, model.channels * factor**2)
    held = 2 * widest + (model.width if model.skip else 0)
    return ReceptiveField(radius, factor, _floats(held / factor**2))


def _encoder_decoder(model: EncoderDecoder) -> ReceptiveField:
    def look(span: _Span) -> _Span:
        # The head; the way up, 4x4 at stride 2; a block of two.
        inner = span.convolved(1).interpolated().convolved(2)
        # 3x3 at stride 2, around every other pixel; the first layer.
        return _Span(2 * inner.first - 1, 2 * inner.last + 1).convolved(1)

    return ReceptiveField(_farthest(look, 2), 2, _floats(3 * model.width))


def _unet(model: UNet) -> ReceptiveField:
    levels = len(model.widths) - 1

    def look(span: _Span) -> _Span:
        for _ in range(levels):
            span = span.convolved(2).halved()
        span = span.convolved(2)
        for _ in range(levels):
            span = span.doubled().convolved(2)
        return span

    return ReceptiveField(
        _farthest(look, 2**levels), 2**levels, _floats(4 * model.widths[0])
    )


def _separable_unet(model: SeparableUNet) -> ReceptiveField:
    levels = len(model.widths)

    def look(span: _Span) -> _Span:
        span = span.convolved(1)
        for _ in range(levels):
            span = span.convolved(1).interpolated()
        span = span.convolved(2)
        for _ in range(levels):
            span = span.doubled().convolved(1)
        return span

    return ReceptiveField(
        _farthest(look, 2**levels), 2**levels, _floats(4 * model.widths[0])
    )


def _swinir(model: SwinIR) -> ReceptiveField:
    window = model.window

    def look(span: _Span) -> _Span:
        # The last layer, and the one after the body.
        span = span.convolved(2)
        for depth in reversed(model.depths):
            span = span.convolved(1)
            for block in reversed(range(depth)):
                span = span.windowed(window, window // 2 if block % 2 else 0)
        return span.convolved(1)

    logits = 2 * max(model.heads) * window**2
    inner = (4 + model.mlp_ratio) * model.width
    return ReceptiveField(_farthest(look, window), window, _floats(logits + inner))


_FAMILIES = {
    DnCNN: lambda model: _chain(model.depth, model.width),
    PlainCNN: lambda model: _chain(model.depth, model.width),
    LightCNN: lambda model: _chain(len(model.widths) + 1, max(model.widths)),
    RealTime: _real_time,
    EncoderDecoder: _encoder_decoder,
    UNet: _unet,
    SeparableUNet: _separable_unet,
    SwinIR: _swinir,
}
