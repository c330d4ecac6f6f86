"""How near a restored picture is to the sharp one; one number a picture.

Both pictures are float in [0, 1]; what lies outside is clipped first, as a screen does.
"""

from collections.abc import Callable

import dm_pix
import jax.numpy as jnp
from jaxtyping import Array, Float

Metric = Callable[
    [Float[Array, "b h w c"], Float[Array, "b h w c"]], Float[Array, " b"]
]


def mse(
    restored: Float[Array, "b h w c"], sharp: Float[Array, "b h w c"]
) -> Float[Array, " b"]:
    """Returns the mean squared error."""
    return dm_pix.mse(jnp.clip(restored, 0, 1), jnp.clip(sharp, 0, 1))


def psnr(
    restored: Float[Array, "b h w c"], sharp: Float[Array, "b h w c"]
) -> Float[Array, " b"]:
    """Returns the peak signal-to-noise ratio in dB."""
    return dm_pix.psnr(jnp.clip(restored, 0, 1), jnp.clip(sharp, 0, 1))


def ssim(
    restored: Float[Array, "b h w c"], sharp: Float[Array, "b h w c"]
) -> Float[Array, " b"]:
    """Returns the structural similarity (Gaussian window 11x11, sigma 1.5)."""
    return dm_pix.ssim(jnp.clip(restored, 0, 1), jnp.clip(sharp, 0, 1))


METRICS: dict[str, Metric] = {"psnr": psnr, "ssim": ssim, "mse": mse}

# Metrics of which more is better; of the others, less is.
MAXIMISED = frozenset({"psnr", "ssim"})
