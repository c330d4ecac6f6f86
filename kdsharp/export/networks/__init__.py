"""The architectures of `kdsharp.models` as ONNX nodes, one family a file.

An emitter adds a network's nodes to a graph. It gets planes whose size is a multiple of
what the network needs, the Flax module with its arguments, and parameters whose batch
norm is gone; it returns the residual, or for those that draw, the picture.
"""

import dataclasses
from collections.abc import Callable

import flax.linen as nn

from kdsharp.errors import UserError
from kdsharp.export.graph import Graph, Size, Value
from kdsharp.export.networks import chains
from kdsharp.export.networks.encoder_decoder import encoder_decoder
from kdsharp.export.networks.real_time import real_time
from kdsharp.export.networks.swinir import swinir
from kdsharp.export.networks.unets import separable_unet, unet

Emit = Callable[[Graph, Value, tuple[Size, Size], nn.Module, dict], Value]


@dataclasses.dataclass(frozen=True)
class Architecture:
    """How a family becomes a graph.

    Heights and widths must be a `multiple`. A family that folds, by a factor above 1,
    has all its nodes where the picture is folded, and so what comes before and after.
    """

    emit: Emit
    multiple: Callable[[nn.Module], int] = lambda model: 1
    draws_picture: bool = False
    folds: Callable[[nn.Module], int] = lambda model: 1


# To add a family of `models.MODELS`: write its emitter, enter it here.
ARCHITECTURES: dict[str, Architecture] = {
    "dncnn": Architecture(chains.dncnn),
    "light_cnn": Architecture(chains.light_cnn),
    "plain_cnn": Architecture(chains.plain_cnn, draws_picture=True),
    "unet": Architecture(unet, lambda m: 2 ** (len(m.widths) - 1), True),
    "separable_unet": Architecture(separable_unet, lambda m: 2 ** len(m.widths), True),
    "encoder_decoder": Architecture(encoder_decoder, lambda m: 2, True),
    "swinir": Architecture(swinir, lambda m: m.window),
    "real_time": Architecture(real_time, lambda m: m.factor, folds=lambda m: m.factor),
}


def find(name: str) -> Architecture:
    """Returns how the family of that name is written."""
    if name not in ARCHITECTURES:
        raise UserError(
            f"model {name!r} cannot be exported; choose one of: "
            f"{', '.join(ARCHITECTURES)}"
        )
    return ARCHITECTURES[name]
