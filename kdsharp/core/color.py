"""Colour: RGB's luma, by which eyes judge sharpness, and the light behind sRGB."""

import jax.numpy as jnp
from jaxtyping import Array, Float

# ITU-R BT.601: what red, green and blue add to luma.
_BT601 = (0.299, 0.587, 0.114)

# IEC 61966-2-1: below the knee sRGB is a line, above it a power.
_SLOPE = 12.92
_OFFSET = 0.055
_POWER = 2.4
_KNEE_SRGB = 0.04045
_KNEE_LINEAR = 0.0031308


def luma(rgb: Float[Array, "*b h w 3"]) -> Float[Array, "*b h w 1"]:
    """Returns full-range BT.601 luma: white is 1, black is 0."""
    return (rgb @ jnp.asarray(_BT601, rgb.dtype))[..., None]


def srgb_to_linear(srgb: Float[Array, "..."]) -> Float[Array, "..."]:
    """Returns the light that gamma-encoded values stand for."""
    # The power never sees what lies under the knee: its gradient there is not finite.
    above = jnp.maximum(srgb, _KNEE_SRGB)
    power = ((above + _OFFSET) / (1 + _OFFSET)) ** _POWER
    return jnp.where(srgb <= _KNEE_SRGB, srgb / _SLOPE, power)


def linear_to_srgb(linear: Float[Array, "..."]) -> Float[Array, "..."]:
    """Returns the gamma-encoded values of light."""
    above = jnp.maximum(linear, _KNEE_LINEAR)
    power = (1 + _OFFSET) * above ** (1 / _POWER) - _OFFSET
    return jnp.where(linear <= _KNEE_LINEAR, linear * _SLOPE, power)
