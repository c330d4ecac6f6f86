"""Sharp and degraded pictures, for calibrating and scoring exported networks."""

import dataclasses
import functools
import logging
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from kdsharp.core import color, cropping, degradations
from kdsharp.data import dead_leaves, folder
from kdsharp.data import decoding as picture_files
from kdsharp.errors import UserError
from kdsharp.export.network import TrainedNetwork
from kdsharp.weights import store

logger = logging.getLogger(__name__)

_SIZE = 192
_COUNT = 12
# Seed of pictures that training never generates.
_SEED = 7_000_000
_DEGRADATION = "bicubic:2"
# Only the first pictures of a folder are used, cropped to their centre.
_MAX_PICTURES = 64


@dataclasses.dataclass(frozen=True)
class SamplePair:
    """A sharp picture in [0, 1] and its degraded version."""

    sharp: Float[np.ndarray, "1 h w c"]
    blurred: Float[np.ndarray, "1 h w c"]


def degradation(network: TrainedNetwork) -> str:
    """The degradation that the network's card names."""
    return store.degradation(network.card) or _DEGRADATION


def pairs(network: TrainedNetwork, root: Path | None = None) -> list[SamplePair]:
    """Degrades pictures of a folder, or generated ones, as the card says."""
    blur = degradations.create(degradation(network))
    found = _generated() if root is None else _of_folder(root)
    return [
        _pair(network, blur, number, picture) for number, picture in enumerate(found)
    ]


def _pair(
    network: TrainedNetwork, blur, number: int, picture: np.ndarray
) -> SamplePair:
    sharp = jnp.asarray(picture, jnp.float32)[None] / 255
    if network.model.channels == 1:
        sharp = color.luma(sharp)
    blurred = blur(jax.random.split(jax.random.key(number), 1), sharp)
    return SamplePair(np.asarray(sharp), np.asarray(blurred))


@functools.cache
def _generated() -> list[np.ndarray]:
    return [dead_leaves.render(i, size=_SIZE, seed=_SEED) for i in range(_COUNT)]


def _of_folder(root: Path) -> list[np.ndarray]:
    found = []
    for name in folder.find_pictures(root)[:_MAX_PICTURES]:
        try:
            picture = picture_files.read(root / name)
            found.append(cropping.center_crop(picture, _SIZE, _SIZE))
        except picture_files.BadPictureError as reason:
            logger.warning("skipping %s: %s", root / name, reason)
    if len(found) < 2:
        raise UserError(
            f"{root} holds {len(found)} pictures to calibrate with: give a folder of "
            "at least 2, for calibration and for scoring"
        )
    return found
