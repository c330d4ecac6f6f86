"""Flax networks, one family a file; `create(name, **arguments)` builds one.

A module maps blurred pixels `[batch, height, width, channels]` to a residual of the
same shape: `restored = blurred + residual`. It clips nothing, carries the constants it
needs, and takes any height and width.
"""

import inspect

import flax.linen as nn

from kdsharp.errors import UserError
from kdsharp.models.dncnn import DnCNN

MODELS: dict[str, type[nn.Module]] = {"dncnn": DnCNN}

# Arguments that every Flax module has and that no config sets.
_OF_FLAX = frozenset({"parent", "name"})


def create(name: str, **arguments) -> nn.Module:
    """Returns the network of that name, built with those arguments."""
    if name not in MODELS:
        raise UserError(f"unknown model {name!r}; there are: {', '.join(MODELS)}")
    family = MODELS[name]
    known = [a for a in inspect.signature(family).parameters if a not in _OF_FLAX]
    for argument in arguments:
        if argument not in known:
            raise UserError(
                f"model {name!r} has no argument {argument!r}; there are: "
                f"{', '.join(known)}"
            )
    return family(**{k: _hashable(v) for k, v in arguments.items()})


def _hashable(value):
    return tuple(value) if isinstance(value, list) else value
