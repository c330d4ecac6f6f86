"""First weights with which a network that draws the picture returns its input.

A network that predicts a residual begins there by itself: its last convolution is zero.
One that draws the picture anew would have to learn to copy it first, for longer than
most runs last. Here a few filters of every layer, the carriers, hand the picture on
unchanged, and the last layer draws what they bring. All others begin at random, as they
would anyway, and nothing of theirs reaches the picture until training lets it. Layers
and parameter counts stay what they are, and every weight can be trained.

- ReLU lets pixels pass, which are never negative. Batch norm gives carriers the mean
  and the spread of photographs: with its running statistics it returns them exactly,
  in training up to how the batch differs from photographs.
- Where the picture is halved by strides, each square of 2x2 pixels travels as channels.
  Where it is pooled, the outermost skip carries it.
- What a sigmoid is to return, it needs the logit of: straight pieces come within
  three and a half grey levels of 255 of it (45 dB).
"""

from collections.abc import Sequence
from itertools import pairwise

import flax.linen as nn
import jax
import numpy as np

from kdsharp.errors import UserError
from kdsharp.models.encoder_decoder import EncoderDecoder
from kdsharp.models.plain_cnn import PlainCNN
from kdsharp.models.unet import SeparableUNet, UNet

# Of the numbers of photographs, all channels together.
_MEAN, _VARIANCE = 0.45, 0.07
_DEVIATION = np.sqrt(_VARIANCE + nn.BatchNorm.epsilon)
# Added to carriers behind batch norm: a batch of dark pictures stays above zero.
_LIFT = 0.5
# A logit in straight pieces, and where they meet: fitted so that behind the sigmoid
# neither pixels nor contrasts are far off, in dark and in light places above all.
_PLACES = (0.0, 0.0261, 0.0862, 0.2069, 0.7931, 0.9138, 0.9739, 1.0)
_LOGITS = (-4.332, -3.271, -2.269, -1.282, 1.282, 2.269, 3.271, 4.332)
_KNOTS = _PLACES[1:-1]
# Added to a logit on its way through a leaky ReLU: above zero it passes.
_LOGIT_LIFT = 5.0


def begin(model: nn.Module, variables: dict) -> dict:
    """Changes a network's first variables so that it returns its input.

    Those of a network that predicts a residual return it already, and stay.
    """
    if type(model) not in _FAMILIES:
        return variables
    # Copies: arrays of JAX cannot be written to.
    changed = jax.tree.map(lambda x: np.array(x, copy=True), variables)
    _FAMILIES[type(model)](model, changed["params"], changed.get("batch_stats", {}))
    return changed


def _plain_cnn(model: PlainCNN, params: dict, stats: dict) -> None:
    _need(model, model.width, model.channels)
    carriers = range(model.channels)
    for layer in range(1, model.depth):
        _copy(params[f"conv{layer}"], carriers, carriers)
    head = params[f"conv{model.depth}"]
    _clear(head)
    _copy(head, carriers, carriers)


def _unet(model: UNet, params: dict, stats: dict) -> None:
    knots = _KNOTS if model.sigmoid else ()
    _need(model, model.widths[0], model.channels * (1 + len(knots)))
    carriers = range(model.channels)
    # What came up lies before the skip.
    skip = [model.widths[0] + channel for channel in carriers]
    lift = _LIFT if model.norm else 0.0
    for scope, sources, last in (
        ("encoder1", carriers, [lift]),
        ("decoder1", skip, [lift, *(-knot for knot in knots)]),
    ):
        level, its_stats = params[scope], stats.get(scope, {})
        # A level begins with the pixels, as they are or as the level before lifts them.
        before = 0.0 if scope == "encoder1" else lift
        for layer, inner, shifts in ((1, sources, [lift]), (2, carriers, last)):
            for number, shift in enumerate(shifts):
                targets = [number * model.channels + channel for channel in carriers]
                norm = f"norm{layer}" if model.norm else None
                _copy(level[f"conv{layer}"], inner, targets)
                if norm:
                    _settle(level[norm], its_stats[norm], targets, before, shift)
                else:
                    level[f"conv{layer}"]["bias"][targets] = shift - before
            before = lift
    if model.norm:
        # All filters in the contrast of carriers: others, four times as strong, would
        # drown these with their first steps.
        for level in stats:
            for norm in stats[level]:
                params[level][norm]["scale"][:] = _DEVIATION
    head = params["head"]
    _clear(head)
    if model.sigmoid:
        _draw_logit(head, carriers, model.channels, model.slope, lift)
    else:
        _copy(head, carriers, carriers)
        head["bias"][:] = -lift


def _separable_unet(model: SeparableUNet, params: dict, stats: dict) -> None:
    channels, carriers = model.channels, range(model.channels)
    held = range(channels * (1 + len(_KNOTS)))
    _need(model, model.widths[0], len(held))
    _need(model, model.refinement, channels)
    _keep(params["encoder1_depthwise"], carriers)
    _copy(params["encoder1_pointwise"], carriers, carriers)
    # The skip alone brings the picture.
    params["up1"]["kernel"][..., : len(carriers)] = 0
    params["up1"]["bias"][: len(carriers)] = 0
    _keep(params["decoder1_depthwise"], carriers)
    for number, shift in enumerate([0.0, *(-knot for knot in _KNOTS)]):
        targets = [number * channels + channel for channel in carriers]
        _copy(params["decoder1_pointwise"], carriers, targets)
        params["decoder1_pointwise"]["bias"][targets] = shift
    _keep(params["refinement_depthwise"], held)
    pointwise = params["refinement_pointwise"]
    pointwise["kernel"][..., : len(carriers)] = 0
    _draw_logit(pointwise, carriers, channels, model.slope)
    pointwise["bias"][: len(carriers)] += _LOGIT_LIFT
    _clear(params["head"])
    _copy(params["head"], carriers, carriers)
    params["head"]["bias"][:] = -_LOGIT_LIFT


def _encoder_decoder(model: EncoderDecoder, params: dict, stats: dict) -> None:
    channels, carriers = model.channels, range(model.channels)
    _need(model, model.width, channels * (1 + len(_KNOTS)))
    _copy(params["conv1"], carriers, carriers)
    squares = range(4 * channels)
    for name in ("conv2", "block_conv2"):
        params[name]["kernel"][..., : len(squares)] = 0
        params[name]["bias"][: len(squares)] = 0
    up = params["up"]
    up["kernel"][..., : channels * (1 + len(_KNOTS))] = 0
    for square in squares:
        below, right, channel = square // channels // 2, square // channels % 2, 0
        channel = square % channels
        # The tap at 1 is at the square's first pixel, for the way down.
        params["conv2"]["kernel"][1 + below, 1 + right, channel, square] = 1
        # On the way up taps run backwards.
        for number in range(1 + len(_KNOTS)):
            target = number * channels + channel
            up["kernel"][2 - below, 2 - right, square, target] = 1
    for number, shift in enumerate([0.0, *(-knot for knot in _KNOTS)]):
        up["bias"][number * channels : (number + 1) * channels] = shift
    _clear(params["head"])
    _draw_logit(params["head"], carriers, channels, slope=0.0)


_FAMILIES = {
    PlainCNN: _plain_cnn,
    UNet: _unet,
    SeparableUNet: _separable_unet,
    EncoderDecoder: _encoder_decoder,
}


def _need(model: nn.Module, there: int, needed: int) -> None:
    if there < needed:
        raise UserError(
            f"a {type(model).__name__} of {there} filters cannot begin as the "
            f"identity of {model.channels} channels: it needs {needed}"
        )


def _clear(layer: dict) -> None:
    layer["kernel"][:] = 0
    layer["bias"][:] = 0


def _copy(layer: dict, sources: Sequence[int], targets: Sequence[int]) -> None:
    """Makes the convolution's filters `targets` return its inputs `sources`."""
    kernel = layer["kernel"]
    middle = tuple(size // 2 for size in kernel.shape[:2])
    kernel[..., list(targets)] = 0
    kernel[*middle, list(sources), list(targets)] = 1
    if "bias" in layer:
        layer["bias"][list(targets)] = 0


def _keep(layer: dict, filters: Sequence[int]) -> None:
    """Makes those filters of a depthwise convolution return what they see."""
    layer["kernel"][..., list(filters)] = 0
    layer["kernel"][1, 1, 0, list(filters)] = 1


def _settle(
    norm: dict, stats: dict, filters: Sequence[int], before: float, after: float
) -> None:
    """Makes batch norm add `after` to photographs, to which `before` was added."""
    stats["mean"][filters] = _MEAN + before
    stats["var"][filters] = _VARIANCE
    norm["scale"][filters] = _DEVIATION
    norm["bias"][filters] = _MEAN + after


def _draw_logit(
    layer: dict,
    targets: Sequence[int],
    channels: int,
    slope: float,
    lift: float = 0.0,
) -> None:
    """Makes the convolution's filters `targets` the logits of carriers.

    Carriers, lifted by `lift`, come first, and then, for each knot, what a leaky ReLU
    of that slope makes of their distance to it.
    """
    steepness = [
        (v - u) / (b - a)
        for (a, b), (u, v) in zip(pairwise(_PLACES), pairwise(_LOGITS), strict=True)
    ]
    # What is added beyond each knot; a leaky ReLU adds some before it, too.
    bends = np.diff(steepness) / (1 - slope)
    first = steepness[0] - slope * np.sum(bends)
    constant = _LOGITS[0] + slope * np.dot(bends, _KNOTS) - first * lift
    middle = tuple(size // 2 for size in layer["kernel"].shape[:2])
    for channel, target in enumerate(targets):
        for number, weight in enumerate([first, *bends]):
            layer["kernel"][*middle, number * channels + channel, target] = weight
        layer["bias"][target] = constant
