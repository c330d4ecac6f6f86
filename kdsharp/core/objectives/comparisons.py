"""Loss terms that compare the restored picture with the blurred one.

Each is a function `(outcome)` in `COMPARISONS`.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from kdsharp.core.objectives.outcome import Outcome

# The mean squared error of 50 dB, where the loss levels off.
_LEVEL = 1e-5


def harm(outcome: Outcome) -> Float[Array, ""]:
    """PSNR lost by pictures that the network makes worse, in dB, averaged over all."""
    change = _decibels(outcome.restored, outcome) - _decibels(outcome.blurred, outcome)
    return jnp.mean(jax.nn.relu(change))


def _decibels(picture: jax.Array, outcome: Outcome) -> Float[Array, "b"]:
    error = jnp.mean(jnp.square(picture - outcome.sharp), axis=(1, 2, 3))
    return 10 * jnp.log10(error + _LEVEL)


COMPARISONS: dict[str, Callable[[Outcome], Float[Array, ""]]] = {"harm": harm}
