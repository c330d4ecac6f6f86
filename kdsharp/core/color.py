"""Colour conversions: luma of RGB, and sRGB to and from linear light."""

import jax.numpy as jnp
from jaxtyping import Array, Float

# ITU-R BT.601: weights of red, green and blue.
BT601 = (0.299, 0.587, 0.114)

# The same for 8-bit video, where black is 16 and white 235, rounded as in MATLAB.
_STUDIO = (65.481 / 255, 128.553 / 255, 24.966 / 255)
_STUDIO_BLACK = 16 / 255

# IEC 61966-2-1: sRGB is linear below the knee and a power law above.
_SLOPE = 12.92
_OFFSET = 0.055
_POWER = 2.4
_KNEE_SRGB = 0.04045
_KNEE_LINEAR = 0.0031308


def luma(rgb: Float[Array, "*b h w 3"]) -> Float[Array, "*b h w 1"]:
    """Full-range BT.601 luma: white is 1, black is 0."""
    return (rgb @ jnp.asarray(BT601, rgb.dtype))[..., None]


def studio_luma(rgb: Float[Array, "*b h w 3"]) -> Float[Array, "*b h w 1"]:
    """BT.601 luma as video stores it: white is 235/255, black is 16/255."""
    return (rgb @ jnp.asarray(_STUDIO, rgb.dtype) + _STUDIO_BLACK)[..., None]


def srgb_to_linear(srgb: Float[Array, "..."]) -> Float[Array, "..."]:
    """Decodes gamma-encoded values to linear light."""
    # Values under the knee are kept from the power, whose gradient there is not finite.
    above = jnp.maximum(srgb, _KNEE_SRGB)
    power = ((above + _OFFSET) / (1 + _OFFSET)) ** _POWER
    return jnp.where(srgb <= _KNEE_SRGB, srgb / _SLOPE, power)


def linear_to_srgb(linear: Float[Array, "..."]) -> Float[Array, "..."]:
    """Gamma-encodes linear light."""
    above = jnp.maximum(linear, _KNEE_LINEAR)
    power = (1 + _OFFSET) * above ** (1 / _POWER) - _OFFSET
    return jnp.where(linear <= _KNEE_LINEAR, linear * _SLOPE, power)
