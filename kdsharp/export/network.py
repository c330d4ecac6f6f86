"""What is exported: a network without batch norm, its name and its card."""

import dataclasses
import functools
import json
from pathlib import Path

import flax.linen as nn
import jax

from kdsharp import __version__, models
from kdsharp.weights import fold, store


@dataclasses.dataclass(frozen=True)
class TrainedNetwork:
    """A module of that family and its parameters, batch norm folded into them."""

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
        """Whether a look at the whole picture sets gains of its filters."""
        return bool(getattr(self.model, "context", 0))

    def metadata(self) -> dict[str, str]:
        """Returns what a file says of itself beside its numbers."""
        return {
            "name": self.name,
            "kdsharp": self.version,
            "degradation": self.card.get("degradation") or "",
            "card": json.dumps(self.card),
        }

    @functools.cached_property
    def variables(self) -> dict:
        """What the module is applied to."""
        return {"params": self.params}


def of_weights(weights: str | store.Weights) -> TrainedNetwork:
    """Returns the network of weights, or of their name."""
    if isinstance(weights, str):
        given, weights = weights, store.load(weights)
        name = name_of(given, weights.card)
    else:
        name = weights.card.get("name") or weights.card["model"]["name"]
    return of_variables(name, weights.card["model"], weights.variables, weights.card)


def name_of(weights: str, card: dict) -> str:
    """Returns what the network of these weights is called."""
    name = weights if weights in store.shipped() else Path(weights).stem
    return card.get("name") or name


def of_variables(
    name: str, model: dict, variables: dict, card: dict | None = None
) -> TrainedNetwork:
    """Returns a network of such arguments of `models.create`."""
    arguments, folded = fold.fold(model, variables)
    arguments.pop("dtype", None)
    return TrainedNetwork(
        name,
        arguments["name"],
        models.create(**arguments),
        jax.device_get(folded["params"]),
        card or {"name": name, "model": dict(model)},
    )
