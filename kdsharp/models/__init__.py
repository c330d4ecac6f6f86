"""Flax networks, one family a file; `create(name, **arguments)` builds one.

A module maps blurred pixels `[batch, height, width, channels]` to a residual of the
same shape; `restore` adds it to the pixels. It clips nothing, contains the constants it
needs, and takes any height and width. In training, networks with batch norm return new
`batch_stats`, and those with dropout need a key named `dropout`, the same on every
device.

To add a network, write a file with its module and its `Family`, the record of what the
rest of the project has to know of it, and enter the file in `_FILES`.

`vgg` is no network that restores: a loss compares its features. `identity.begin`
changes the first weights of a network so that it returns its input.
"""

import importlib
import inspect

import flax.linen as nn

from kdsharp.base import choices
from kdsharp.errors import UserError
from kdsharp.models.family import Family, ReceptiveField
from kdsharp.models.restoring import restore

__all__ = ["FAMILIES", "create", "find", "receptive_field", "restore"]

# The files that networks are in, each with a table `FAMILIES` of its own.
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

# Arguments that every Flax module has and that no config sets.
_FLAX_ARGUMENTS = frozenset({"parent", "name"})


def create(name: str, **arguments) -> nn.Module:
    """Builds the network of that name with those arguments."""
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
    """The family of that name."""
    if name not in FAMILIES:
        raise choices.unknown("model", name, FAMILIES)
    return FAMILIES[name]


def receptive_field(model: nn.Module) -> ReceptiveField:
    """The receptive field of a network that `create` built."""
    families = (f for f in FAMILIES.values() if type(model) is f.module)
    return next(families).receptive_field(model)


def _hashable(value):
    return tuple(value) if isinstance(value, list) else value
