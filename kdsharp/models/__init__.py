"""Flax networks, one family per file; `create(name, **arguments)` builds one.

A module maps blurred pixels `[batch, height, width, channels]` to a residual of the
same shape; `restore` adds it to the pixels. Modules do not clip, contain the constants
they need, and take any height and width. In training, networks with batch norm update
`batch_stats`, and those with dropout need a key named `dropout`, the same on every
device.

To add a network, write a file with its module and its `Family`, the record of its
properties, and add the file to `_FILES`.

`vgg` does not restore; a perceptual loss compares its features. `identity.initialise`
changes the initial weights of a network so that it returns its input.
"""

import importlib
import inspect

import flax.linen as nn

from kdsharp.base import choices
from kdsharp.errors import UserError
from kdsharp.models.family import Family, ReceptiveField
from kdsharp.models.restoring import restore

__all__ = ["FAMILIES", "create", "find", "receptive_field", "restore"]

# The files of the networks, each with a table `FAMILIES`.
_FILES = (
    "dncnn",
    "plain_cnn",
    "light_cnn",
    "unet",
    "encoder_decoder",
    "swinir",
    "real_time",
)

FAMILIES: dict[str, Family] = {}
for _file in _FILES:
    FAMILIES |= importlib.import_module(f"{__name__}.{_file}").FAMILIES

# Arguments of every Flax module, which configs cannot set.
_FLAX_ARGUMENTS = frozenset({"parent", "name"})


def create(name: str, **arguments) -> nn.Module:
    """Builds the network of that name; raises an error for unknown arguments."""
    module = find(name).module
    known = [
        a for a in inspect.signature(module).parameters if a not in _FLAX_ARGUMENTS
    ]
    for argument in arguments:
        if argument not in known:
            raise UserError(
                f"model {name!r} has no argument {argument!r}; choose one of: "
                f"{', '.join(known)}"
            )
    return module(**{k: _hashable(v) for k, v in arguments.items()})


def find(name: str) -> Family:
    """Looks up a family by name; raises an error if it is unknown."""
    if name not in FAMILIES:
        raise choices.unknown("model", name, FAMILIES)
    return FAMILIES[name]


def receptive_field(model: nn.Module) -> ReceptiveField:
    """The receptive field of a network that `create` built."""
    families = (f for f in FAMILIES.values() if type(model) is f.module)
    return next(families).receptive_field(model)


def _hashable(value):
    return tuple(value) if isinstance(value, list) else value
