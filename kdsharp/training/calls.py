"""Runs several steps in one compiled call, which saves the overhead of each call.

The number of steps is an argument of the compiled program, so a run that ends calls
early, to log or to save, compiles once, and its results do not depend on call lengths.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kdsharp.errors import UserError

Step = Callable[..., tuple[Any, dict[str, jax.Array]]]

# Default steps per call on an accelerator, for pictures on the device and on the host;
# host batches have to be collected for a whole call.
_DEVICE_STEPS = 100
_HOST_STEPS = 10


def choose(requested: int, platform: str, placement: str) -> int:
    """Chooses the maximum number of steps per call; 0 asks for the platform's default.

    On a CPU that is 1, since XLA has no fast convolutions inside loops there.
    """
    if requested < 0:
        raise UserError(f"config.steps_per_call must be at least 0, not {requested}")
    if requested:
        return requested
    if platform == "cpu":
        return 1
    return _DEVICE_STEPS if placement == "device" else _HOST_STEPS


def loop_steps(step: Step, size: int) -> Step:
    """Builds `call(state, frozen, batches, count)`, which runs `count` steps.

    `batches` is a stack of `size` batches; the returned metrics are stacked as well.
    """

    def call(state, frozen, batches, count, **options):
        def take(number, carry):
            state, collected = carry
            batch = jax.tree.map(lambda rows: rows[number], batches)
            state, metrics = step(state, frozen, batch, **options)
            collected = jax.tree.map(
                lambda k, m: k.at[number].set(m), collected, metrics
            )
            return state, collected

        first = jax.tree.map(lambda rows: rows[0], batches)
        _, shapes = jax.eval_shape(
            lambda *inputs: step(*inputs, **options), state, frozen, first
        )
        empty = jax.tree.map(lambda m: jnp.zeros((size, *m.shape), m.dtype), shapes)
        return jax.lax.fori_loop(0, count, take, (state, empty))

    return call


class Calls:
    """A step that is compiled for the devices, in calls of up to `max_steps`."""

    def __init__(self, step: Step, max_steps: int, devices):
        self._max_steps = max_steps
        self._devices = devices
        self._call = devices.compile(
            step if max_steps == 1 else loop_steps(step, max_steps)
        )

    def __call__(self, state, frozen, batches: Sequence[dict]):
        """Trains on all batches; returns the new state and pending metrics."""
        state, metrics = self._call(state, frozen, *self._arguments(batches))
        return state, _PendingMetrics(metrics, len(batches), self._devices)

    def compile(self, state, frozen, batches: Sequence[dict]) -> None:
        """Compiles the call ahead of time."""
        arguments = self._arguments(batches)
        self._call = self._call.lower(state, frozen, *arguments).compile()

    def _arguments(self, batches: Sequence[dict]) -> tuple:
        if self._max_steps == 1:
            (batch,) = batches
            return (self._devices.shard(batch),)
        count = np.int32(len(batches))
        # The padding is never read.
        filled = [*batches, *[batches[-1]] * (self._max_steps - len(batches))]
        stacked = jax.tree.map(lambda *rows: np.stack(rows), *filled)
        return (
            self._devices.shard(stacked, stacked=True),
            self._devices.replicate(count),
        )


class _PendingMetrics:
    """The metrics of a call, which may still be running."""

    def __init__(self, metrics: dict[str, jax.Array], count: int, devices):
        self._metrics = metrics
        self._count = count
        self._devices = devices

    def read(self) -> list[dict[str, float]]:
        """Waits for the metrics; returns those of each step."""
        metrics = self._devices.to_host(self._metrics)
        metrics = {name: np.atleast_1d(values) for name, values in metrics.items()}
        return [
            {name: float(values[i]) for name, values in metrics.items()}
            for i in range(self._count)
        ]
