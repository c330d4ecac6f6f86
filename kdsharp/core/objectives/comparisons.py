"""Loss terms that compare the restored picture with the blurred one.

Each is a function `(outcome)` in `COMPARISONS`.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from kdsharp.core.objectives import needs
from kdsharp.core.objectives.outcome import Outcome

# The mean squared error of 50 dB, where the loss levels off.
_LEVEL = 1e-5
# How much of the input's flicker a network may keep for nothing.
_CALM = 0.8
# Added under square roots, whose gradient is infinite at 0.
_TINY = 1e-9


def harm(outcome: Outcome) -> Float[Array, ""]:
    """PSNR lost by pictures that the network makes worse, in dB, averaged over all."""
    change = _decibels(outcome.restored, outcome) - _decibels(outcome.blurred, outcome)
    return jnp.mean(jax.nn.relu(change))


@needs.needs("frames")
def flicker(outcome: Outcome) -> Float[Array, ""]:
    """How much restored windows flicker beyond `_CALM` of the input, in levels of 255.

    Flicker is the change from frame to frame that sharp windows do not have.
    """

    def changes(frames: jax.Array) -> Array:
        apart = frames - outcome.sharp
        windows = apart.reshape(-1, outcome.frames, *apart.shape[1:])
        changed = jnp.mean(jnp.square(jnp.diff(windows, axis=1)), axis=(1, 2, 3, 4))
        return 255 * jnp.sqrt(changed + _TINY)

    more = changes(outcome.restored) - _CALM * changes(outcome.blurred)
    return jnp.mean(jax.nn.relu(more))


def _decibels(picture: jax.Array, outcome: Outcome) -> Float[Array, "b"]:
    error = jnp.mean(jnp.square(picture - outcome.sharp), axis=(1, 2, 3))
    return 10 * jnp.log10(error + _LEVEL)


COMPARISONS: dict[str, Callable[[Outcome], Float[Array, ""]]] = {
    "harm": harm,
    "flicker": flicker,
}
