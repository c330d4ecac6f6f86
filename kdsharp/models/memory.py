"""Networks with memory: they see the frame before, and what they made of it.

The state is a picture of two parts: the frame before and its restoration, both moved by
the motion between the frames. `step` restores a frame and gives the next state; for a
network without memory the state is None. A single picture is a video of one frame.
"""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

# Differences from the frame of this size and more, in [0, 1], are another scene or
# another object, and do not reach the network.
REACH = 0.1

Pixels = Float[Array, "b h w c"]
State = Float[Array, "b h w d"]


def has_memory(model: nn.Module) -> bool:
    """Whether the network sees a state."""
    return bool(getattr(model, "memory", False))


def start(model: nn.Module, frame: Pixels) -> State | None:
    """The state before the first frame: nothing is remembered but the frame itself."""
    return remember(frame, frame) if has_memory(model) else None


def remember(frame: Pixels, restored: Pixels) -> State:
    """Makes the state of a frame and its restoration."""
    return jnp.concatenate([frame, restored], axis=-1)


def differences(frame: Pixels, state: State) -> State:
    """How the state differs from the frame, from -1 to 1.

    A small difference grows with its size; from half of `REACH` on it fades, so that
    what has nothing to do with the frame counts no more than what equals it.
    """
    apart = (state - jnp.concatenate([frame, frame], axis=-1)) / REACH
    return 4 * apart * jax.nn.relu(1 - jnp.abs(apart))


def next_state(model: nn.Module, frame: Pixels, residual: Pixels) -> State | None:
    """The state after a frame."""
    if not has_memory(model):
        return None
    return remember(frame, jnp.clip(frame + residual, 0, 1))


def step(
    model: nn.Module, variables: Mapping[str, Any], frame: Pixels, state: State | None
) -> tuple[Pixels, State | None]:
    """Restores a frame: its residual, and the state for the next frame."""
    more: dict[str, Any] = {} if state is None else {"state": state}
    residual: Any = model.apply(variables, frame, **more)
    return residual, next_state(model, frame, residual)
