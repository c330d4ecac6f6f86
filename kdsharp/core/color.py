"""Colour: between RGB and the luma that eyes judge sharpness by."""

import jax.numpy as jnp
from jaxtyping import Array, Float

# ITU-R BT.601: what red, green and blue add to luma.
_BT601 = (0.299, 0.587, 0.114)


def luma(rgb: Float[Array, "*b h w 3"]) -> Float[Array, "*b h w 1"]:
    """Returns full-range BT.601 luma: white is 1, black is 0."""
    return (rgb @ jnp.asarray(_BT601, rgb.dtype))[..., None]
