"""Rounding as 8-bit software does it, with the gradient of no rounding at all."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

# Float32 may leave a half a little under a half; integers do not.
_TIE = 1e-4


@jax.custom_jvp
def floor(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Round down; the gradient is 1 (straight through)."""
    return jnp.floor(x)


@floor.defjvp
def _floor_jvp(primals, tangents):
    return jnp.floor(primals[0]), tangents[0]


def half_up(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Round to the nearest integer, halves up; the gradient is 1."""
    return floor(x + (0.5 + _TIE))


def half_away(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Round to the nearest integer, halves away from 0; the gradient is 1."""
    sign = jnp.where(x < 0, -1.0, 1.0)
    return sign * floor(jnp.abs(x) + (0.5 + _TIE))


def levels(picture: Float[Array, "..."]) -> Float[Array, "..."]:
    """The picture's 8-bit grey levels, 0 to 255, as float."""
    return half_up(jnp.clip(picture, 0, 1) * 255)


def to_8_bits(picture: Float[Array, "..."]) -> Float[Array, "..."]:
    """Round the picture to 8 bits, still float in [0, 1]."""
    return levels(picture) / 255
