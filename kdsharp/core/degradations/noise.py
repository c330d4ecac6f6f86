"""What a sensor adds; it neither clips nor rounds.

Noise is drawn from a seed a picture, so that the same parameters give it again.
"""

from dataclasses import dataclass, field
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt32

from kdsharp.core.degradations.frames import Frame
from kdsharp.core.degradations.steps import BINARY, Range, Step, between

# Up to this mean a Poisson count is looked up among so many counts, exactly; above,
# its quantile is expanded around the normal one.
_FEW = 4
_COUNTS = 18


def normal(
    seed: UInt32[Array, " b"], shape: tuple[int, int, int]
) -> Float[Array, "b c h w"]:
    """Standard normal planes, of `shape` for each picture."""
    return jax.vmap(lambda s: jax.random.normal(jax.random.key(s), shape))(seed)


def poisson(z: Float[Array, "..."], mean: Float[Array, "..."]) -> Float[Array, "..."]:
    """Poisson counts with that mean, at the quantiles of the standard normal `z`.

    (A sampler that rejects is a loop that ends with its last pixel; this is many
    times faster.) The gradient is that of the mean.
    """
    mean = jnp.maximum(mean, 0)
    # Cornish and Fisher's expansion of the quantile, to the fourth cumulant, all of
    # them Poisson's `mean`; Sheppard's correction takes off what rounding adds.
    much = jnp.maximum(mean, _FEW)
    skewed = (z * z - 1) / 6
    peaked = ((z * z - 3) * z / 24 - (2 * z * z - 5) * z / 36) / jnp.sqrt(much)
    spread = jnp.sqrt(much - 1 / 12) * z
    many = jnp.round(much + spread + skewed + peaked)

    few = jnp.zeros_like(mean)
    below = jax.scipy.stats.norm.cdf(z)
    chance = total = jnp.exp(-jnp.minimum(mean, _FEW))
    for count in range(1, _COUNTS):
        few += below > total
        chance = chance * jnp.minimum(mean, _FEW) * (1 / count)
        total = total + chance
    drawn = jnp.where(mean > _FEW, many, few)
    return mean + jax.lax.stop_gradient(drawn - mean)


def _shape(frame: Frame, grey: str) -> tuple[int, int, int]:
    channels, height, width = frame.planes.shape[1:]
    return 1 if grey == "1" else channels, height, width


@dataclass(frozen=True)
class Noise(Step):
    """`noise:SIGMA[,grey=1]`: Gaussian; white is 1, `grey` is alike in all channels."""

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
    """`shot:PEAK[,grey=1]`: Poisson; `PEAK` photons make white."""

    name: ClassVar[str] = "shot"
    random: ClassVar[bool] = True
    peak: Range = field(default=Range(50, 1000), metadata=between(1, 1e6, "log"))
    grey: str = field(default="0", metadata=BINARY)

    def _apply(self, frame: Frame, peak: Array, seed: Array) -> Frame:
        peak = peak[:, None, None, None]
        z = normal(seed, _shape(frame, self.grey))
        return frame._replace(planes=poisson(z, frame.planes * peak) / peak)
