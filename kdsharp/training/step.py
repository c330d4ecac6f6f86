"""One training step: pure, the same on one device and on many."""

import dataclasses
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from kdsharp.core import color, objectives
from kdsharp.core.degradations import Degradation
from kdsharp.training.state import TrainState

Batch = dict[str, jax.Array]


@dataclasses.dataclass(frozen=True)
class Task:
    """What every step of a run has in common."""

    model: nn.Module
    channels: int
    objective: Callable
    degrade: Degradation
    optimizer: optax.GradientTransformation
    teacher: nn.Module | None
    seed: int


def to_pixels(pictures: jax.Array, channels: int) -> jax.Array:
    """Returns uint8 RGB as float in [0, 1]; of one channel, as luma."""
    pixels = pictures.astype(jnp.float32) / 255
    return color.luma(pixels) if channels == 1 else pixels


def sharp_and_blurred(
    batch: Batch, keys: jax.Array, degrade: Degradation, channels: int
) -> tuple[jax.Array, jax.Array]:
    """Returns a uint8 batch as pixels, and its blur: as given, or by `degrade`."""
    sharp = to_pixels(batch["sharp"], channels)
    if "blurred" in batch:
        return sharp, to_pixels(batch["blurred"], channels)
    return sharp, degrade(keys, sharp)


def train_step(
    task: Task,
    state: TrainState,
    teacher_variables: dict | None,
    batch: Batch,
    *,
    axis_name: str | None = None,
) -> tuple[TrainState, dict[str, jax.Array]]:
    """Returns the next state and the step's metrics.

    With `axis_name`, `batch` is this device's share, and sums go over that axis.
    Without, it is the whole batch, wherever its parts lie.
    """
    step_key = jax.random.fold_in(jax.random.key(task.seed), state.step)
    blur_key, dropout_key = jax.random.split(step_key)
    keys = _picture_keys(blur_key, len(batch["sharp"]), axis_name)
    sharp, blurred = sharp_and_blurred(batch, keys, task.degrade, task.channels)
    teacher_residual = None
    if task.teacher is not None:
        teacher_residual = jax.lax.stop_gradient(
            task.teacher.apply(teacher_variables, blurred)
        )

    def loss_of(params):
        residual, updates = task.model.apply(
            {"params": params, "batch_stats": state.batch_stats},
            blurred,
            train=True,
            mutable=["batch_stats"],
            rngs={"dropout": dropout_key},
        )
        outcome = objectives.Outcome(sharp, blurred, residual, teacher_residual)
        loss, terms = task.objective(outcome)
        return loss, ({"loss": loss, **terms}, updates.get("batch_stats", {}))

    grads, (terms, batch_stats) = jax.grad(loss_of, has_aux=True)(state.params)
    if axis_name is not None:
        grads, terms = jax.lax.pmean((grads, terms), axis_name)
    updates, opt_state = task.optimizer.update(grads, state.opt_state, state.params)
    proposed = state.replace(
        step=state.step + 1,
        params=optax.apply_updates(state.params, updates),
        batch_stats=batch_stats,
        opt_state=opt_state,
    )
    norm = optax.tree.norm(grads)
    healthy = state.healthy & jnp.isfinite(norm)
    for term in terms.values():
        healthy &= jnp.isfinite(term)
    kept = jax.tree.map(lambda new, old: jnp.where(healthy, new, old), proposed, state)
    metrics = {**terms, "grad_norm": norm, "healthy": healthy}
    return kept.replace(healthy=healthy), metrics


def _picture_keys(key, count, axis_name):
    """Returns a key a picture, the same however the batch is spread over devices."""
    index = jnp.arange(count)
    if axis_name is not None:
        index += jax.lax.axis_index(axis_name) * count
    return jax.vmap(lambda i: jax.random.fold_in(key, i))(index)
