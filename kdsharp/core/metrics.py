"""Image quality metrics of restored pictures; one number per picture.

Both pictures are float in [0, 1]; values outside are clipped first.
"""

from collections.abc import Callable

import dm_pix
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from kdsharp.base import choices
from kdsharp.core import color, similarity
from kdsharp.errors import UserError

Metric = Callable[
    [Float[Array, "b h w c"], Float[Array, "b h w c"]], Float[Array, " b"]
]

# Compare RGB, or the luma of 8-bit video as most papers do.
PROTOCOLS = ("rgb", "luma")

# The limit of PSNR in means, since it is infinite for equal pictures.
MAX_PSNR = 100.0


def mse(
    restored: Float[Array, "b h w c"], sharp: Float[Array, "b h w c"]
) -> Float[Array, " b"]:
    """Mean squared error."""
    return jnp.asarray(dm_pix.mse(_shown(restored), _shown(sharp)))


def mae(
    restored: Float[Array, "b h w c"], sharp: Float[Array, "b h w c"]
) -> Float[Array, " b"]:
    """Mean absolute error."""
    return jnp.asarray(dm_pix.mae(_shown(restored), _shown(sharp)))


def psnr(
    restored: Float[Array, "b h w c"], sharp: Float[Array, "b h w c"]
) -> Float[Array, " b"]:
    """Peak signal-to-noise ratio in dB; infinite for equal pictures."""
    return jnp.asarray(dm_pix.psnr(_shown(restored), _shown(sharp)))


def ssim(
    restored: Float[Array, "b h w c"], sharp: Float[Array, "b h w c"]
) -> Float[Array, " b"]:
    """Structural similarity (11x11 Gaussian window, sigma 1.5)."""
    return similarity.ssim(_shown(restored), _shown(sharp))


def ms_ssim(
    restored: Float[Array, "b h w c"], sharp: Float[Array, "b h w c"]
) -> Float[Array, " b"]:
    """Multi-scale structural similarity; sides must be at least 161 pixels."""
    return similarity.ms_ssim(_shown(restored), _shown(sharp))


def _shown(picture: Array) -> Array:
    return jnp.clip(picture, 0, 1)


# Metrics of crops of any size from 11x11.
METRICS: dict[str, Metric] = {"psnr": psnr, "ssim": ssim, "mse": mse, "mae": mae}

# Metrics of whole pictures.
OF_PICTURES: dict[str, Metric] = {
    "psnr": psnr,
    "ssim": ssim,
    "ms_ssim": ms_ssim,
    "mse": mse,
    "mae": mae,
}

# Higher is better for these, lower for the others.
MAXIMISED = frozenset({"psnr", "ssim", "ms_ssim"})


def mean(values: Float[np.ndarray, " pictures"] | list[float]) -> float:
    """The mean of a metric over pictures, with PSNR limited to `MAX_PSNR`."""
    return float(np.mean(np.minimum(values, MAX_PSNR)))


def compared(
    picture: Float[Array, "b h w c"], protocol: str = "rgb", shave: int = 0
) -> Float[Array, "b h2 w2 c2"]:
    """Selects the pixels that a protocol compares, without `shave` pixels per border.

    `luma` is BT.601's, from 16/255 to 235/255; single-channel pictures stay as they
    are.
    """
    if protocol not in PROTOCOLS:
        raise choices.unknown("protocol", protocol, PROTOCOLS)
    height, width = picture.shape[1:3]
    if not 0 <= shave < min(height, width) / 2:
        raise UserError(
            f"a border of {shave} pixels cannot be left out of a picture of "
            f"{width}x{height}"
        )
    picture = _shown(picture)[:, shave : height - shave, shave : width - shave]
    if protocol == "luma" and picture.shape[-1] == 3:
        return color.studio_luma(picture)
    return picture
