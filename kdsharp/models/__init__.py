"""Flax networks, one family a file; `create(name, **arguments)` builds one.

A module maps blurred pixels `[batch, height, width, channels]` to a residual of the
same shape, which `restore` adds: `restored = blurred + residual`. It clips nothing,
carries the constants it needs, and takes any height and width. In training, those with
batch norm give new `batch_stats`, and those that drop out ask for a key named
`dropout`, the same on every device. `vgg` stands apart: it does not restore, it looks,
for a loss. `identity.begin` changes a network's first weights so that it returns its
input.
"""

import inspect

import flax.linen as nn

from kdsharp.base import choices
from kdsharp.errors import UserError
from kdsharp.models.dncnn import DnCNN
from kdsharp.models.encoder_decoder import EncoderDecoder
from kdsharp.models.light_cnn import LightCNN
from kdsharp.models.plain_cnn import PlainCNN
from kdsharp.models.real_time import RealTime
from kdsharp.models.restoring import restore
from kdsharp.models.swinir import SwinIR
from kdsharp.models.unet import SeparableUNet, UNet

__all__ = ["MODELS", "create", "restore"]

MODELS: dict[str, type[nn.Module]] = {
    "dncnn": DnCNN,
    "plain_cnn": PlainCNN,
    "light_cnn": LightCNN,
    "unet": UNet,
    "separable_unet": SeparableUNet,
    "encoder_decoder": EncoderDecoder,
    "swinir": SwinIR,
    "real_time": RealTime,
}

# Arguments that every Flax module has and that no config sets.
_OF_FLAX = frozenset({"parent", "name"})


def create(name: str, **arguments) -> nn.Module:
    """Returns the network of that name, built with those arguments."""
    if name not in MODELS:
        raise choices.unknown("model", name, MODELS)
    family = MODELS[name]
    known = [a for a in inspect.signature(family).parameters if a not in _OF_FLAX]
    for argument in arguments:
        if argument not in known:
            raise UserError(
                f"model {name!r} has no argument {argument!r}; choose one of: "
                f"{', '.join(known)}"
            )
    return family(**{k: _hashable(v) for k, v in arguments.items()})


def _hashable(value):
    return tuple(value) if isinstance(value, list) else value
