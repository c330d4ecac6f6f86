"""The network to export: its module, parameters without batch norm, and card."""

import dataclasses
import functools
import json
from pathlib import Path

import flax.linen as nn
import jax

from kdsharp import __version__, models
from kdsharp.models import memory
from kdsharp.weights import fold, store


@dataclasses.dataclass(frozen=True)
class TrainedNetwork:
    """A Flax module with its parameters, into which batch norm is folded."""

    name: str
    family: str
    model: nn.Module
    params: dict
    card: dict

    @property
    def version(self) -> str:
        """The version of kdsharp that exports it."""
        return __version__

    @property
    def has_context(self) -> bool:
        """Whether the context of the whole picture sets gains of its filters."""
        return bool(getattr(self.model, "context", 0))

    @property
    def has_memory(self) -> bool:
        """Whether the network remembers what it made of the frame before."""
        return memory.has_memory(self.model)

    def metadata(self) -> dict[str, str]:
        """Metadata to store in exported files."""
        return {
            "name": self.name,
            "kdsharp": self.version,
            "degradation": self.card.get("degradation") or "",
            "card": json.dumps(self.card),
        }

    @functools.cached_property
    def variables(self) -> dict:
        """The variables to apply the module with."""
        return {"params": self.params}


def of_weights(weights: str | store.Weights) -> TrainedNetwork:
    """Loads the network of weights, or of the name of weights."""
    if isinstance(weights, str):
        given, weights = weights, store.load(weights)
        name = name_of(given, weights.card)
    else:
        name = weights.card.get("name") or weights.card["model"]["name"]
    return of_variables(name, weights.card["model"], weights.variables, weights.card)


def name_of(weights: str, card: dict) -> str:
    """The name of a network: from its card, or else from its file."""
    name = weights if weights in store.shipped() else Path(weights).stem
    return card.get("name") or name


def of_variables(
    name: str, model: dict, variables: dict, card: dict | None = None
) -> TrainedNetwork:
    """Makes a network from arguments of `models.create` and its variables."""
    arguments, folded = fold.fold(model, variables)
    arguments.pop("dtype", None)
    return TrainedNetwork(
        name,
        arguments["name"],
        models.create(**arguments),
        jax.device_get(folded["params"]),
        card or {"name": name, "model": dict(model)},
    )
