"""Sensor noise, without clipping or rounding.

Each picture's noise comes from its own seed, so the same parameters reproduce it.
"""

from dataclasses import dataclass, field
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt32

from kdsharp.core.degradations.frames import Frame
from kdsharp.core.degradations.steps import BINARY, Range, Step, between

# Up to this mean, Poisson quantiles are exact, among this many counts; above it they
# are expanded around the normal quantile.
_EXACT_MEAN = 4
_EXACT_COUNTS = 18


def normal(
    seed: UInt32[Array, " b"], shape: tuple[int, int, int]
) -> Float[Array, "b c h w"]:
    """Standard normal noise of `shape` for each picture."""
    return jax.vmap(lambda s: jax.random.normal(jax.random.key(s), shape))(seed)


def poisson(z: Float[Array, "..."], mean: Float[Array, "..."]) -> Float[Array, "..."]:
    """Maps standard normal samples `z` to Poisson counts of the same quantiles.

    Many times faster than rejection sampling, which loops until the last pixel is
    accepted. The gradient is that of the mean.
    """
    mean = jnp.maximum(mean, 0)
    # Cornish-Fisher expansion of the quantile to the fourth cumulant (all cumulants are
    # `mean`); Sheppard's correction removes the variance that rounding adds.
    much = jnp.maximum(mean, _EXACT_MEAN)
    skewed = (z * z - 1) / 6
    peaked = ((z * z - 3) * z / 24 - (2 * z * z - 5) * z / 36) / jnp.sqrt(much)
    spread = jnp.sqrt(much - 1 / 12) * z
    many = jnp.round(much + spread + skewed + peaked)

    few = jnp.zeros_like(mean)
    below = jax.scipy.stats.norm.cdf(z)
    chance = total = jnp.exp(-jnp.minimum(mean, _EXACT_MEAN))
    for count in range(1, _EXACT_COUNTS):
        few += below > total
        chance = chance * jnp.minimum(mean, _EXACT_MEAN) * (1 / count)
        total = total + chance
    drawn = jnp.where(mean > _EXACT_MEAN, many, few)
    return mean + jax.lax.stop_gradient(drawn - mean)


def _shape(frame: Frame, grey: str) -> tuple[int, int, int]:
    channels, height, width = frame.planes.shape[1:]
    return 1 if grey == "1" else channels, height, width


@dataclass(frozen=True)
class Noise(Step):
    """`noise:SIGMA[,grey=1]`: Gaussian noise; `grey` is equal in all channels."""

    name: ClassVar[str] = "noise"
    random: ClassVar[bool] = True
    sigma: Range = field(default=Range(0, 0.05), metadata=between(0, 1))
    grey: str = field(default="0", metadata=BINARY)

    def _apply(self, frame: Frame, sigma: Array, seed: Array) -> Frame:
        noise = normal(seed, _shape(frame, self.grey))
        planes = frame.planes + sigma[:, None, None, None] * noise
        return frame._replace(planes=planes)


@dataclass(frozen=True)
class Shot(Step):
    """`shot:PEAK[,grey=1]`: Poisson noise with `PEAK` photons at white."""

    name: ClassVar[str] = "shot"
    random: ClassVar[bool] = True
    peak: Range = field(default=Range(50, 1000), metadata=between(1, 1e6, "log"))
    grey: str = field(default="0", metadata=BINARY)

    def _apply(self, frame: Frame, peak: Array, seed: Array) -> Frame:
        peak = peak[:, None, None, None]
        z = normal(seed, _shape(frame, self.grey))
        return frame._replace(planes=poisson(z, frame.planes * peak) / peak)
