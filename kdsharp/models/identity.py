"""Identity initialisation for networks that predict the picture.

A network that predicts a residual starts as the identity, since its last convolution is
zero. A network that predicts the picture would first have to learn to copy its input,
which takes longer than most runs. Here a few filters of every layer, the carriers, pass
the picture on unchanged, and the last layer outputs them. All other filters keep their
random initialisation, with zero weight in the output. Architecture and parameter count
do not change, and every weight can be trained.

- ReLU passes pixels, since they are not negative. Batch norm has the mean and variance
  of photographs for the carriers: it passes them exactly with running statistics, and
  approximately with those of a batch.
- Strided convolutions carry each 2x2 square of pixels as channels. Pooled levels are
  bypassed by the outermost skip connection.
- Before a sigmoid, the logit of the picture is approximated by a piecewise linear
  function, within 3.5 grey levels of 255 (45 dB).
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

# Mean and variance of the pixels of photographs, over all channels.
_MEAN, _VARIANCE = 0.45, 0.07
_DEVIATION = np.sqrt(_VARIANCE + nn.BatchNorm.epsilon)
# Added to carriers after batch norm, so that dark batches stay positive.
_LIFT = 0.5
# The piecewise linear logit, fitted to minimise the errors of pixels and of contrasts
# after the sigmoid, above all near black and white.
_PLACES = (0.0, 0.0261, 0.0862, 0.2069, 0.7931, 0.9138, 0.9739, 1.0)
_LOGITS = (-4.332, -3.271, -2.269, -1.282, 1.282, 2.269, 3.271, 4.332)
_KNOTS = _PLACES[1:-1]
# Added to logits before a leaky ReLU, so that they are positive and pass unchanged.
_LOGIT_LIFT = 5.0


def initialise(model: nn.Module, variables: dict) -> dict:
    """Changes a network's initial variables so that it returns its input.

    Networks that predict a residual already do, and are left unchanged.
    """
    if type(model) not in _FAMILIES:
        return variables
    # Copies, since JAX arrays are immutable.
    changed = jax.tree.map(lambda x: np.array(x, copy=True), variables)
    _FAMILIES[type(model)](model, changed["params"], changed.get("batch_stats", {}))
    return changed


def _plain_cnn(model: PlainCNN, params: dict, stats: dict) -> None:
    _check_filters(model, model.width, model.channels)
    carriers = range(model.channels)
    for layer in range(1, model.depth):
        _copy(params[f"conv{layer}"], carriers, carriers)
    head = params[f"conv{model.depth}"]
    _clear(head)
    _copy(head, carriers, carriers)


def _unet(model: UNet, params: dict, stats: dict) -> None:
    knots = _KNOTS if model.sigmoid else ()
    _check_filters(model, model.widths[0], model.channels * (1 + len(knots)))
    carriers = range(model.channels)
    # Upsampled features are concatenated before the skip connection.
    skip = [model.widths[0] + channel for channel in carriers]
    lift = _LIFT if model.norm else 0.0
    for scope, sources, last in (
        ("encoder1", carriers, [lift]),
        ("decoder1", skip, [lift, *(-knot for knot in knots)]),
    ):
        level, its_stats = params[scope], stats.get(scope, {})
        # The input of a level: the pixels, or the lifted carriers of the level before.
        before = 0.0 if scope == "encoder1" else lift
        for layer, inner, shifts in ((1, sources, [lift]), (2, carriers, last)):
            for number, shift in enumerate(shifts):
                targets = [number * model.channels + channel for channel in carriers]
                norm = f"norm{layer}" if model.norm else None
                _copy(level[f"conv{layer}"], inner, targets)
                if norm:
                    _set_norm(level[norm], its_stats[norm], targets, before, shift)
                else:
                    level[f"conv{layer}"]["bias"][targets] = shift - before
            before = lift
    if model.norm:
        # All filters get the scale of the carriers; with their default scale, four
        # times as large, they would overwhelm the carriers in the first steps.
        for level in stats:
            for norm in stats[level]:
                params[level][norm]["scale"][:] = _DEVIATION
    head = params["head"]
    _clear(head)
    if model.sigmoid:
        _set_logit(head, carriers, model.channels, model.slope, lift)
    else:
        _copy(head, carriers, carriers)
        head["bias"][:] = -lift


def _separable_unet(model: SeparableUNet, params: dict, stats: dict) -> None:
    channels, carriers = model.channels, range(model.channels)
    carried = range(channels * (1 + len(_KNOTS)))
    _check_filters(model, model.widths[0], len(carried))
    _check_filters(model, model.refinement, channels)
    _copy_depthwise(params["encoder1_depthwise"], carriers)
    _copy(params["encoder1_pointwise"], carriers, carriers)
    # Only the skip connection carries the picture.
    params["up1"]["kernel"][..., : len(carriers)] = 0
    params["up1"]["bias"][: len(carriers)] = 0
    _copy_depthwise(params["decoder1_depthwise"], carriers)
    for number, shift in enumerate([0.0, *(-knot for knot in _KNOTS)]):
        targets = [number * channels + channel for channel in carriers]
        _copy(params["decoder1_pointwise"], carriers, targets)
        params["decoder1_pointwise"]["bias"][targets] = shift
    _copy_depthwise(params["refinement_depthwise"], carried)
    pointwise = params["refinement_pointwise"]
    pointwise["kernel"][..., : len(carriers)] = 0
    _set_logit(pointwise, carriers, channels, model.slope)
    pointwise["bias"][: len(carriers)] += _LOGIT_LIFT
    _clear(params["head"])
    _copy(params["head"], carriers, carriers)
    params["head"]["bias"][:] = -_LOGIT_LIFT


def _encoder_decoder(model: EncoderDecoder, params: dict, stats: dict) -> None:
    channels, carriers = model.channels, range(model.channels)
    _check_filters(model, model.width, channels * (1 + len(_KNOTS)))
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
        # In the strided convolution, tap 1 is at the first pixel of the square.
        params["conv2"]["kernel"][1 + below, 1 + right, channel, square] = 1
        # In the transposed convolution, taps are reversed.
        for number in range(1 + len(_KNOTS)):
            target = number * channels + channel
            up["kernel"][2 - below, 2 - right, square, target] = 1
    for number, shift in enumerate([0.0, *(-knot for knot in _KNOTS)]):
        up["bias"][number * channels : (number + 1) * channels] = shift
    _clear(params["head"])
    _set_logit(params["head"], carriers, channels, slope=0.0)


_FAMILIES = {
    PlainCNN: _plain_cnn,
    UNet: _unet,
    SeparableUNet: _separable_unet,
    EncoderDecoder: _encoder_decoder,
}


def _check_filters(model: nn.Module, available: int, needed: int) -> None:
    if available < needed:
        raise UserError(
            f"a {type(model).__name__} of {available} filters cannot be initialised as "
            f"the identity of {model.channels} channels: it needs {needed} filters"
        )


def _clear(layer: dict) -> None:
    layer["kernel"][:] = 0
    layer["bias"][:] = 0


def _copy(layer: dict, sources: Sequence[int], targets: Sequence[int]) -> None:
    """Makes the filters `targets` of a convolution copy its inputs `sources`."""
    kernel = layer["kernel"]
    middle = tuple(size // 2 for size in kernel.shape[:2])
    kernel[..., list(targets)] = 0
    kernel[*middle, list(sources), list(targets)] = 1
    if "bias" in layer:
        layer["bias"][list(targets)] = 0


def _copy_depthwise(layer: dict, filters: Sequence[int]) -> None:
    """Makes these filters of a depthwise convolution copy their inputs."""
    layer["kernel"][..., list(filters)] = 0
    layer["kernel"][1, 1, 0, list(filters)] = 1


def _set_norm(
    norm: dict, stats: dict, filters: Sequence[int], before: float, after: float
) -> None:
    """Makes batch norm map photographs with offset `before` to offset `after`."""
    stats["mean"][filters] = _MEAN + before
    stats["var"][filters] = _VARIANCE
    norm["scale"][filters] = _DEVIATION
    norm["bias"][filters] = _MEAN + after


def _set_logit(
    layer: dict,
    targets: Sequence[int],
    channels: int,
    slope: float,
    lift: float = 0.0,
) -> None:
    """Makes the filters `targets` of a convolution compute the logits of carriers.

    Its inputs are the carriers with offset `lift`, then for each knot the leaky ReLU,
    of this `slope`, of their distance to it.
    """
    steepness = [
        (v - u) / (b - a)
        for (a, b), (u, v) in zip(pairwise(_PLACES), pairwise(_LOGITS), strict=True)
    ]
    # The change of slope at each knot; a leaky ReLU also contributes below it.
    bends = np.diff(steepness) / (1 - slope)
    first = steepness[0] - slope * np.sum(bends)
    constant = _LOGITS[0] + slope * np.dot(bends, _KNOTS) - first * lift
    middle = tuple(size // 2 for size in layer["kernel"].shape[:2])
    for channel, target in enumerate(targets):
        for number, weight in enumerate([first, *bends]):
            layer["kernel"][*middle, number * channels + channel, target] = weight
        layer["bias"][target] = constant
