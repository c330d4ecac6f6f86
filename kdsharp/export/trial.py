"""Pictures to try an exported network on, sharp and as the network meets them."""

import dataclasses
import functools
import logging
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from kdsharp.core import color, degradations
from kdsharp.data import dead_leaves, folder
from kdsharp.data import decoding as picture_files
from kdsharp.errors import UserError
from kdsharp.export.network import TrainedNetwork

logger = logging.getLogger(__name__)

_SIZE = 192
_COUNT = 12
# Generated pictures that no training draws.
_SEED = 7_000_000
_DEGRADATION = "bicubic:2"
# Of a folder, the first so many, and the middle of each.
_MOST = 64


@dataclasses.dataclass(frozen=True)
class Pair:
    """A picture in [0, 1] of the network's channels, and what became of it."""

    sharp: Float[np.ndarray, "1 h w c"]
    blurred: Float[np.ndarray, "1 h w c"]


def degradation(network: TrainedNetwork) -> str:
    """Returns what its card says that it undoes."""
    return network.card.get("degradation") or _DEGRADATION


def pairs(network: TrainedNetwork, root: Path | None = None) -> list[Pair]:
    """Returns pictures of a folder, or generated ones, blurred as the card says."""
    blur = degradations.create(degradation(network))
    found = _generated() if root is None else _of_folder(root)
    return [
        _pair(network, blur, number, picture) for number, picture in enumerate(found)
    ]


def _pair(network: TrainedNetwork, blur, number: int, picture: np.ndarray) -> Pair:
    sharp = jnp.asarray(picture, jnp.float32)[None] / 255
    if network.model.channels == 1:
        sharp = color.luma(sharp)
    blurred = blur(jax.random.split(jax.random.key(number), 1), sharp)
    return Pair(np.asarray(sharp), np.asarray(blurred))


@functools.cache
def _generated() -> list[np.ndarray]:
    return [dead_leaves.render(i, size=_SIZE, seed=_SEED) for i in range(_COUNT)]


def _of_folder(root: Path) -> list[np.ndarray]:
    found = []
    for name in folder.find_pictures(root)[:_MOST]:
        try:
            found.append(_middle(picture_files.read(root / name)))
        except picture_files.BadPictureError as reason:
            logger.warning("skipping %s: %s", root / name, reason)
    if len(found) < 2:
        raise UserError(
            f"{root} holds {len(found)} pictures to calibrate by: give a folder of at "
            "least 2, some to calibrate by and some to judge by"
        )
    return found


def _middle(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    top, left = (max(side - _SIZE, 0) // 2 for side in (height, width))
    return picture[top : top + _SIZE, left : left + _SIZE]
