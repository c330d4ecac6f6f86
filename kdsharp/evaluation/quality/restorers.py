"""Whatever restores a picture, under one roof: trained networks and an unsharp mask."""

import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image, ImageFilter

from kdsharp import models
from kdsharp.errors import UserError
from kdsharp.weights import store

INPUT, UNSHARP = "input", "unsharp mask"

# The best of forty (radii from 0.5 to 3, 25 to 150 %) for `bicubic:2` on the 20
# photographs of BSDS500 that no shipped weights learned from, and fixed since.
_MASK = ImageFilter.UnsharpMask(radius=1, percent=100, threshold=0)
UNSHARP_SETTINGS = (
    f"Gaussian of radius {_MASK.radius}, {_MASK.percent} %, threshold "
    f"{_MASK.threshold}, everywhere"
)


@dataclasses.dataclass(frozen=True)
class PictureRestorer:
    """A function from blurred RGB, in a batch of one, to restored RGB."""

    name: str
    restore: Callable[[jax.Array], jax.Array]
    parameters: int | None = None
    trained_for: str | None = None


def of_weights(weights: store.Weights, name: str) -> PictureRestorer:
    """Returns a network as a restorer; one of luma lets chroma pass."""

    @jax.jit
    def restore(variables, blurred):
        return models.restore(weights.model, variables, blurred)

    return PictureRestorer(
        name,
        lambda blurred: restore(weights.variables, blurred),
        sum(np.size(x) for x in jax.tree.leaves(weights.variables["params"])),
        weights.card.get("degradation"),
    )


def load(names: Iterable[str]) -> tuple[dict[str, PictureRestorer], dict[str, str]]:
    """Returns the networks by the names they were given by, and why others are not.

    Where two are called the same, the second goes by its path.
    """
    found: dict[str, PictureRestorer] = {}
    failed: dict[str, str] = {}
    for given in dict.fromkeys(names):
        try:
            weights = store.load(given)
        except UserError as error:
            failed[given] = str(error)
            continue
        name = row_name(given, weights.card)
        if name in (INPUT, UNSHARP, *(other.name for other in found.values())):
            name = given
        found[given] = of_weights(weights, name)
    return found, failed


def row_name(given: str, card: dict) -> str:
    """Returns how tables call weights: as they ship, or as their card has it."""
    if given in store.shipped():
        return given
    return card.get("name") or Path(given).stem


def unsharp_mask() -> PictureRestorer:
    """Returns what every picture editor does."""

    def restore(blurred: jax.Array) -> jax.Array:
        grey = np.clip(np.round(np.asarray(blurred[0]) * 255), 0, 255)
        image = Image.fromarray(grey.astype(np.uint8)).filter(_MASK)
        return jnp.asarray(image, jnp.float32)[None] / 255

    return PictureRestorer(UNSHARP, restore)
