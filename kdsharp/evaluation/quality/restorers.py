"""Restorers of pictures: trained networks and an unsharp mask."""

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

# The best of forty settings (radii 0.5 to 3, 25 to 150 %) for `bicubic:2` on 20
# photographs of BSDS500 that no shipped weights were trained on.
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
    """Creates the restorer of a network; luma networks leave chroma unchanged."""

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
    """Loads networks; returns them by the names given, and the reasons for failures.

    If two have the same name, the second is named by its path.
    """
    restorers: dict[str, PictureRestorer] = {}
    failed: dict[str, str] = {}
    for spec in dict.fromkeys(names):
        try:
            weights = store.load(spec)
        except UserError as error:
            failed[spec] = str(error)
            continue
        name = row_name(spec, weights.card)
        if name in (INPUT, UNSHARP, *(other.name for other in restorers.values())):
            name = spec
        restorers[spec] = of_weights(weights, name)
    return restorers, failed


def row_name(spec: str, card: dict) -> str:
    """The name of weights in tables: that of shipped weights, or that of the card."""
    if spec in store.shipped():
        return spec
    return card.get("name") or Path(spec).stem


def unsharp_mask() -> PictureRestorer:
    """Creates the baseline of all networks, Pillow's unsharp mask."""

    def restore(blurred: jax.Array) -> jax.Array:
        grey = np.clip(np.round(np.asarray(blurred[0]) * 255), 0, 255)
        image = Image.fromarray(grey.astype(np.uint8)).filter(_MASK)
        return jnp.asarray(image, jnp.float32)[None] / 255

    return PictureRestorer(UNSHARP, restore)
