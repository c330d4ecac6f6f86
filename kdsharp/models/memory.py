"""Networks with memory, which remember what they made of the frame before.

The state is the restored frame before. A restored frame is drawn towards it wherever
the two are so near that the difference can only be noise: of a codec, of the camera, of
the restoration itself. Still parts stop flickering; what moves or is new does not see
the frame before. A picture, and the first frame of a scene, has no state.

What a context leaves alone, the memory leaves alone as well: the share is multiplied by
the mean of the gains, at most by 1.
"""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

# Differences of this size and more, in [0, 1], are motion or another object.
REACH = 0.06

# The parameter of a network with memory: the logit of its share.
SHARE = "share"

Pixels = Float[Array, "b h w c"]


def has_memory(model: nn.Module) -> bool:
    """Whether the network uses a state."""
    return bool(getattr(model, "memory", False))


def share(variables: Mapping[str, Any]) -> Float[Array, ""]:
    """How far equal frames are drawn towards the frame before; it is learned."""
    return jax.nn.sigmoid(variables["params"][SHARE])


def active(gains: Float[Array, "b g"]) -> Float[Array, "b 1 1 1"]:
    """The factor of the share for the gains of a context."""
    return jnp.minimum(jnp.mean(gains, axis=-1), 1)[:, None, None, None]


def steady(
    restored: Pixels, state: Pixels, share: Float[Array, "*b"] | float
) -> Pixels:
    """Draws a restored frame towards the one before, by `share` where they are near."""
    apart = state - restored
    near = jax.nn.relu(1 - jnp.abs(apart) / REACH)
    return restored + share * near * apart
