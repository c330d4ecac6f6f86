"""Loss terms that compare the restored picture with the blurred one.

Each is a function `(outcome)` in `COMPARISONS`.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from kdsharp.core.objectives import needs
from kdsharp.core.objectives.outcome import Outcome

# The mean squared errors of 40 and 50 dB, where `gain` and `harm` level off.
_GAIN_LEVEL = 1e-4
_HARM_LEVEL = 1e-5
# How much of the input's flicker a network may keep for nothing.
_CALM = 0.8
# Added under square roots, whose gradient is infinite at 0.
_TINY = 1e-9


def gain(outcome: Outcome) -> Float[Array, ""]:
    """The negative gain in PSNR over the blurred pictures, in dB, averaged over all.

    Unlike with `psnr`, pictures between 30 and 40 dB count almost as much as others.
    """
    return jnp.mean(_lost(outcome, _GAIN_LEVEL))


def harm(outcome: Outcome) -> Float[Array, ""]:
    """PSNR lost by pictures that the network makes worse, in dB, averaged over all."""
    return jnp.mean(jax.nn.relu(_lost(outcome, _HARM_LEVEL)))


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


def _lost(outcome: Outcome, level: float) -> Float[Array, "b"]:
    """The PSNR that each picture lost, in dB."""

    def error(picture: jax.Array) -> Float[Array, "b"]:
        return jnp.mean(jnp.square(picture - outcome.sharp), axis=(1, 2, 3))

    return decibels_lost(error(outcome.restored), error(outcome.blurred), level)


def decibels_lost(
    after: Float[Array, "b"], before: Float[Array, "b"], level: float = _HARM_LEVEL
) -> Float[Array, "b"]:
    """The PSNR lost by mean squared errors, which count from `level` on."""
    return 10 * jnp.log10((after + level) / (before + level))


COMPARISONS: dict[str, Callable[[Outcome], Float[Array, ""]]] = {
    "gain": gain,
    "harm": harm,
    "flicker": flicker,
}
