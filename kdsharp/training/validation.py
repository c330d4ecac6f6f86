"""Validation during training."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from kdsharp.core import metrics
from kdsharp.core.cropping import center_crop
from kdsharp.core.degradations import Degradation
from kdsharp.data.sources import Records
from kdsharp.training import teaching
from kdsharp.training.step import sharp_and_blurred

# With less gain than this, in dB, a network counts as returning its input.
_MIN_GAIN = 0.02


def no_gain(scores: dict[str, float], input_scores: dict[str, float]) -> bool:
    """Whether a network is no better than its input.

    The errors are averaged over all pictures, since a mean of PSNRs would be dominated
    by pictures that are already sharp.
    """
    return 10 * np.log10(input_scores["mse"] / scores["mse"]) < _MIN_GAIN


class Validation:
    """Scores networks on a fixed set of crops with fixed blur."""

    def __init__(
        self,
        model: nn.Module,
        channels: int,
        degrade: Degradation,
        crops: dict[str, np.ndarray],
        seed: int,
        grid_shift: int = 0,
    ):
        keys = jax.random.split(jax.random.key(seed), len(crops["sharp"]))
        self._sharp, self._blurred = jax.jit(
            lambda crops: sharp_and_blurred(crops, keys, degrade, channels, grid_shift)
        )(crops)
        self._score = jax.jit(lambda *pictures: _score(model, *pictures))
        self.input = _mean(jax.jit(_measure)(self._blurred, self._sharp))

    def __call__(self, variables: dict) -> dict[str, float]:
        """Computes the mean of every metric, and `gain`, the PSNR over the input's."""
        scores = _mean(self._score(variables, self._blurred, self._sharp))
        return {**scores, "gain": scores["psnr"] - self.input["psnr"]}


def center_crops(source: Records, size: int, limit: int) -> dict[str, np.ndarray]:
    """Crops the centres of the first `limit` pictures, all to one size."""
    records = [source[i] for i in range(min(limit, len(source)))]
    size = min([size, *(side for r in records for side in r["sharp"].shape[:2])])
    return {
        name: np.stack([center_crop(record[name], size, size) for record in records])
        for name in ("sharp", "blurred")
        if name in records[0]
    }


def _score(model, variables, blurred, sharp):
    def one(pair):
        blurred, sharp = (p[None] for p in pair)
        residual, *_ = teaching.apply(model, variables, blurred)
        restored = teaching.each_frame(blurred) + residual
        return jax.tree.map(jnp.mean, _measure(restored, sharp))

    return jax.lax.map(one, (blurred, sharp))


def _measure(restored, sharp) -> dict:
    pictures = teaching.each_frame(restored), teaching.each_frame(sharp)
    return {name: metric(*pictures) for name, metric in metrics.METRICS.items()}


def _mean(scores: dict[str, jax.Array]) -> dict[str, float]:
    return {name: metrics.mean(np.asarray(s)) for name, s in scores.items()}
