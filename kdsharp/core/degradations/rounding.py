"""Rounding with straight-through gradients."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

# In float32 an exact half may end up slightly below a half.
_TIE = 1e-4


@jax.custom_jvp
def floor(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Rounds down, with gradient 1."""
    return jnp.floor(x)


@floor.defjvp
def _floor_jvp(primals, tangents):
    return jnp.floor(primals[0]), tangents[0]


def half_up(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Rounds to the nearest integer, halves up, with gradient 1."""
    return floor(x + (0.5 + _TIE))


def half_away(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Rounds to the nearest integer, halves away from 0, with gradient 1."""
    sign = jnp.where(x < 0, -1.0, 1.0)
    return sign * floor(jnp.abs(x) + (0.5 + _TIE))


def levels(picture: Float[Array, "..."]) -> Float[Array, "..."]:
    """Converts [0, 1] to 8-bit levels, 0 to 255, as float."""
    return half_up(jnp.clip(picture, 0, 1) * 255)


def to_8_bits(picture: Float[Array, "..."]) -> Float[Array, "..."]:
    """Rounds float pixels in [0, 1] to multiples of 1/255."""
    return levels(picture) / 255
