"""The real training step, without a teacher, for benchmarks to time."""

from collections.abc import Callable
from functools import partial

import jax
import numpy as np
import optax

from kdsharp import models
from kdsharp.core import objectives
from kdsharp.training import parallel
from kdsharp.training.state import TrainState, create_state, init_variables
from kdsharp.training.step import Task, train_step

NETWORKS = {
    "teacher": {"depth": 17, "width": 64, "norm_after": "inner"},
    "student": {"depth": 8, "width": 32, "norm_after": (3, 6)},
}


def jax_step(
    network: dict, batch: np.ndarray, *, device_count: int = 0, dtype: str = "float32"
) -> Callable[[], object]:
    """Creates a function that takes one training step, without degradation.

    `device_count` 0 means all devices.
    """
    devices = parallel.create("jit", len(batch), device_count)
    task, state = _create_state(network, dtype)
    state = devices.replicate(state)
    step = devices.compile(partial(train_step, task))

    def take() -> object:
        nonlocal state
        state, metrics = step(state, {}, devices.shard({"sharp": batch}))
        return state, metrics

    return take


def scanned_steps(network: dict, batch: np.ndarray, count: int) -> Callable[[], object]:
    """Creates a function that takes `count` steps as one program on one device."""
    task, state = _create_state(network, "float32")
    batches = {"sharp": np.stack([batch] * count)}

    @partial(jax.jit, donate_argnums=0)
    def steps(state, batches):
        return jax.lax.scan(
            lambda state, batch: train_step(task, state, {}, batch), state, batches
        )

    def take() -> object:
        nonlocal state
        state, metrics = steps(state, batches)
        return state, metrics

    return take


def _create_state(network: dict, dtype: str) -> tuple[Task, TrainState]:
    task = Task(
        model=models.create("dncnn", **network, dtype=dtype),
        channels=3,
        objective=objectives.create({"mse": 1.0}),
        degrade=lambda keys, sharp: sharp * 0.9,
        optimizer=optax.adam(1e-4),
        seed=0,
    )
    variables = init_variables(task.model, 3, jax.random.key(0))
    return task, create_state(variables, task.optimizer)


def random_batch(*shape: int) -> np.ndarray:
    """Draws uint8 pixels of the given shape from a fixed seed."""
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)
