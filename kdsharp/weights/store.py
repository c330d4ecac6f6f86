"""Reads and writes weights: `NAME.safetensors` with `NAME.json`.

JAX and Flax are imported only on access to `Weights.model`, since that takes a second.
"""

import dataclasses
import functools
import json
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file
from safetensors.numpy import save as to_bytes

from kdsharp.base import atomic_files
from kdsharp.errors import UserError
from kdsharp.weights import hub

if TYPE_CHECKING:
    import flax.linen as nn

# The degradation on cards of networks that were trained on pairs.
GIVEN = "given with the pictures"

_TENSORS, _CARD = ".safetensors", ".json"


@dataclasses.dataclass(frozen=True)
class Weights:
    """A trained network: its variables, its card, and its Flax module."""

    variables: dict
    card: dict
    dtype: str = "float32"

    @functools.cached_property
    def model(self) -> "nn.Module":
        from kdsharp import models

        return models.create(**{**self.card["model"], "dtype": self.dtype})


def save(path: Path, variables: dict, card: dict) -> None:
    """Writes weights to `path` and the card beside it, each atomically.

    `card['model']` holds the arguments of `models.create`.
    """
    tensors = {name: np.asarray(value, order="C") for name, value in _flat(variables)}
    atomic_files.write_bytes(path, to_bytes(tensors))
    atomic_files.write_text(path.with_suffix(_CARD), json.dumps(card, indent=2) + "\n")


def degradation(card: dict) -> str:
    """The degradation that a network was trained for; empty if its card has none.

    Cards of networks that were trained on pairs may name one in their recipe.
    """
    named = card.get("degradation") or ""
    return card.get("recipe", {}).get("degradation", "") if named == GIVEN else named


def shipped() -> list[str]:
    """Lists the names of the weights that ship with the package."""
    folder = resources.files("kdsharp.weights") / "zoo"
    names = (Path(file.name) for file in folder.iterdir()) if folder.is_dir() else ()
    return sorted(name.stem for name in names if name.suffix == _TENSORS)


def locate(name: str) -> Path:
    """Finds weights: shipped, a file, the folder of a run, or OWNER/NAME on the hub."""
    if name in shipped():
        return Path(str(resources.files("kdsharp.weights") / "zoo" / (name + _TENSORS)))
    path = Path(name)
    on_hub = hub.is_id(name)
    if on_hub and hub.available():
        path = hub.download(name)
    if path.is_dir():
        files = sorted(path.glob(f"*{_TENSORS}"))
        if len(files) == 1:
            return files[0]
        raise UserError(
            f"{path} holds {len(files) or 'no'} weights (*{_TENSORS}); a finished "
            "run's folder holds one"
        )
    if path.is_file():
        return path
    raise UserError(
        f"no weights {name!r}: neither a file nor a run's folder, nor shipped "
        f"({', '.join(shipped()) or 'none'})"
        + ("; to look on the hub: pip install 'kdsharp[hub]'" if on_hub else "")
    )


def read_card(path: Path) -> dict:
    """Reads the card of weights, which must have at least the name of the network."""
    card_path = path.with_suffix(_CARD)
    try:
        card = json.loads(card_path.read_text())
        _ = card["model"]["name"]
    # Invalid encodings raise ValueError, too.
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} needs its card {card_path.name} beside it, with a 'model' entry"
        ) from error
    return card


def load(name: str, *, dtype: str = "float32") -> Weights:
    """Loads weights by name or path, and checks them against their architecture."""
    path = locate(name)
    card = read_card(path)
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} is not a safetensors file, or is damaged") from error
    weights = Weights({"batch_stats": {}, **_nested(tensors)}, card, dtype)
    # Shipped weights are checked by tests, which saves the import of JAX.
    if name not in shipped():
        check(path, weights)
    return weights


def check(path: Path, weights: Weights) -> None:
    """Raises an error if tensors do not fit the architecture."""
    import jax

    arguments = weights.card["model"]
    pixels = np.zeros((1, 32, 32, arguments.get("channels", 3)), np.float32)
    shapes = jax.eval_shape(weights.model.init, jax.random.key(0), pixels)
    expected, tensors = dict(_flat(dict(shapes))), dict(_flat(weights.variables))
    faults = [
        f"tensor {name} is missing" for name in sorted(expected.keys() - tensors.keys())
    ]
    faults += [
        f"tensor {name} is unknown" for name in sorted(tensors.keys() - expected.keys())
    ]
    faults += [
        f"tensor {name} is {tensors[name].shape}, not {expected[name].shape}"
        for name in sorted(expected.keys() & tensors.keys())
        if tensors[name].shape != expected[name].shape
    ]
    if faults:
        raise UserError(
            f"{path} does not fit {arguments['name']!r}: {faults[0]}"
            + (f", and {len(faults) - 1} more" if len(faults) > 1 else "")
        )


def _flat(tree: dict, above: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """Yields the leaves of nested dicts with their paths."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}/")
        else:
            yield above + name, value


def _nested(tensors: dict[str, np.ndarray]) -> dict:
    """Rebuilds nested dicts from paths, the inverse of `_flat`."""
    tree: dict = {}
    for path, value in tensors.items():
        *above, name = path.split("/")
        branch = tree
        for step in above:
            branch = branch.setdefault(step, {})
        branch[name] = value
    return tree
