"""Several steps as one compiled call, so that a device need not wait for each.

The length of a call is not part of its program: a run that ends calls early, to log or
to save, compiles once, and its numbers do not depend on where its calls end.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kdsharp.errors import UserError

Step = Callable[..., tuple[Any, dict[str, jax.Array]]]

# On an accelerator. Batches that come from the host are collected for a whole call.
_OF_THE_DEVICE = 100
_OF_THE_HOST = 10


def choose(asked: int, platform: str, placement: str) -> int:
    """The most steps that a call takes; 0 chooses what is best on this platform.

    On a CPU that is one: XLA has no fast convolution inside a loop there.
    """
    if asked < 0:
        raise UserError(f"config.steps_per_call must be at least 0, not {asked}")
    if asked:
        return asked
    if platform == "cpu":
        return 1
    return _OF_THE_DEVICE if placement == "device" else _OF_THE_HOST


def several(step: Step, most: int) -> Step:
    """Builds `call(state, frozen, batches, count)`, which takes `count` steps.

    `batches` are `most` of them, stacked; metrics are stacked alike.
    """

    def call(state, frozen, batches, count, **options):
        def take(number, held):
            state, kept = held
            batch = jax.tree.map(lambda rows: rows[number], batches)
            state, metrics = step(state, frozen, batch, **options)
            kept = jax.tree.map(lambda k, m: k.at[number].set(m), kept, metrics)
            return state, kept

        first = jax.tree.map(lambda rows: rows[0], batches)
        _, shapes = jax.eval_shape(
            lambda *inputs: step(*inputs, **options), state, frozen, first
        )
        empty = jax.tree.map(lambda m: jnp.zeros((most, *m.shape), m.dtype), shapes)
        return jax.lax.fori_loop(0, count, take, (state, empty))

    return call


class Calls:
    """A step on the devices, up to `most` times a call."""

    def __init__(self, step: Step, most: int, devices):
        self._most = most
        self._devices = devices
        self._call = devices.compile(step if most == 1 else several(step, most))

    def __call__(self, state, frozen, batches: Sequence[dict]):
        """Trains on all batches; gives the new state and metrics to be read later."""
        state, metrics = self._call(state, frozen, *self._arguments(batches))
        return state, _Unread(metrics, len(batches), self._devices)

    def compile(self, state, frozen, batches: Sequence[dict]) -> None:
        """Compiles now what the first call would."""
        arguments = self._arguments(batches)
        self._call = self._call.lower(state, frozen, *arguments).compile()

    def _arguments(self, batches: Sequence[dict]) -> tuple:
        if self._most == 1:
            (batch,) = batches
            return (self._devices.shard(batch),)
        count = np.int32(len(batches))
        # What is behind the last is never looked at.
        filled = [*batches, *[batches[-1]] * (self._most - len(batches))]
        stacked = jax.tree.map(lambda *rows: np.stack(rows), *filled)
        return (
            self._devices.shard(stacked, several=True),
            self._devices.replicate(count),
        )


class _Unread:
    """The metrics of a call, which may still be running."""

    def __init__(self, metrics: dict[str, jax.Array], count: int, devices):
        self._metrics = metrics
        self._count = count
        self._devices = devices

    def read(self) -> list[dict[str, float]]:
        """Waits for the metrics, and gives them step by step."""
        held = self._devices.to_host(self._metrics)
        held = {name: np.atleast_1d(values) for name, values in held.items()}
        return [
            {name: float(values[i]) for name, values in held.items()}
            for i in range(self._count)
        ]
