"""The training step, a pure function with equal results on any number of devices."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from kdsharp.core import color, objectives
from kdsharp.core.degradations import Degradation
from kdsharp.training import rounding, teaching
from kdsharp.training.state import TrainState
from kdsharp.training.teaching import NO_TEACHERS, Teaching

Batch = Mapping[str, jax.Array | np.ndarray]

# The signal that a host received, sent in its rows of the batch, so that all hosts
# learn of it at the same step.
SIGNAL = "signal"
# Folded into a picture's key for the position of its crop.
_GRID_SHIFT_KEY = 1 << 16
# Folded into a step's key for the noise of a network's context.
_CONTEXT_KEY = 1 << 17


@dataclasses.dataclass(frozen=True)
class Task:
    """The settings that all steps of a run share."""

    model: nn.Module
    channels: int
    objective: objectives.Objective
    degrade: Degradation
    optimizer: optax.GradientTransformation
    seed: int
    teaching: Teaching = NO_TEACHERS
    # The network of the perceptual loss.
    vgg: nn.Module | None = None
    # Maximal random shift in pixels of the crop against the grid of the degradation,
    # such as JPEG blocks.
    grid_shift: int = 0
    # Decay per step of the moving average of the weights; 0 disables it.
    average: float = 0.0
    # Names of the layers to train; all if empty.
    trainable: tuple[str, ...] = ()
    # Whether the student's convolutions are rounded.
    rounded: bool = False


def to_pixels(pictures: jax.Array | np.ndarray, channels: int) -> jax.Array:
    """Converts uint8 RGB to float in [0, 1], or to luma for one channel.

    The frames of a window, joined along the channels, become `[b, t, h, w, c]`.
    """
    if (frames := pictures.shape[-1] // 3) > 1:
        windows = pictures.reshape(*pictures.shape[:-1], frames, 3)
        return to_pixels(jnp.moveaxis(windows, 3, 1), channels)
    pixels: Any = pictures.astype(jnp.float32) / 255
    return color.luma(pixels) if channels == 1 else pixels


def sharp_and_blurred(
    batch: Batch,
    keys: jax.Array,
    degrade: Degradation,
    channels: int,
    grid_shift: int = 0,
) -> tuple[jax.Array, jax.Array]:
    """Converts a uint8 batch to sharp and blurred pixels; blurs it unless it is paired.

    With `grid_shift`, both are then cropped by that many pixels at a random position.
    """
    sharp = to_pixels(batch["sharp"], channels)
    if "blurred" in batch:
        blurred = to_pixels(batch["blurred"], channels)
    else:
        blurred = degrade(keys, sharp)
    if not grid_shift:
        return sharp, blurred

    def cut(key, sharp, blurred):
        top, left = jax.random.randint(
            jax.random.fold_in(key, _GRID_SHIFT_KEY), (2,), 0, grid_shift + 1
        )
        *frames, height, width, channels = sharp.shape
        size = (*frames, height - grid_shift, width - grid_shift, channels)
        start = (*[0] * len(frames), top, left, 0)
        return (
            jax.lax.dynamic_slice(sharp, start, size),
            jax.lax.dynamic_slice(blurred, start, size),
        )

    return jax.vmap(cut)(keys, sharp, blurred)


def train_step(
    task: Task,
    state: TrainState,
    frozen: dict,
    batch: Batch,
    *,
    axis_name: str | None = None,
) -> tuple[TrainState, dict[str, jax.Array]]:
    """Runs a training step; returns the next state and the metrics.

    `frozen` holds the variables of the `teachers` and of `vgg`. With `axis_name`,
    `batch` is this device's part, and means are taken over that axis; without, it is
    the global batch.
    """
    step_key = jax.random.fold_in(jax.random.key(task.seed), state.step)
    blur_key, dropout_key = jax.random.split(step_key)
    context_key = jax.random.fold_in(step_key, _CONTEXT_KEY)
    keys = _picture_keys(blur_key, len(batch["sharp"]), axis_name)
    sharp, blurred = sharp_and_blurred(
        batch, keys, task.degrade, task.channels, task.grid_shift
    )
    teacher_views = [
        view.show_teacher(blurred, jax.random.fold_in(step_key, number))
        for number, view in enumerate(task.teaching.views)
    ]
    lessons = task.teaching.lessons(
        task.model,
        [variables or state.average for variables in frozen.get("teachers", ())],
        blurred,
        teacher_views,
    )

    def perceive(pixels) -> Any:
        assert task.vgg is not None
        return task.vgg.apply(frozen["vgg"], pixels)

    def forward(params, pixels, layers=()):
        rounds = nullcontext()
        if task.rounded:
            params, rounds = rounding.kernels(params), rounding.outputs(axis_name)
        with rounds:
            return teaching.apply(
                task.model,
                {"params": params, "batch_stats": state.batch_stats},
                pixels,
                layers,
                mutable=["batch_stats"],
                train=True,
                rngs={"dropout": dropout_key, "context": context_key},
            )

    def loss_of(trained):
        params, adapters = trained
        params = _others(jax.lax.stop_gradient, params, task.trainable)
        residual, features, updates = forward(
            params, blurred, task.teaching.student_layers
        )
        outcome = objectives.Outcome(
            teaching.each_frame(sharp),
            teaching.each_frame(blurred),
            residual,
            features,
            tuple(
                view.turn_back(forward(params, view.show_student(pixels))[0])
                for view, pixels in zip(task.teaching.views, teacher_views, strict=True)
            ),
            perceive,
            sharp.shape[1] if sharp.ndim == 5 else 1,
        )
        loss, terms = task.objective(
            outcome, teaching.adapt(lessons, features, adapters)
        )
        return loss, ({"loss": loss, **terms}, updates.get("batch_stats", {}))

    trained = (state.params, state.adapters)
    grads, (terms, batch_stats) = jax.grad(loss_of, has_aux=True)(trained)
    if axis_name is not None:
        grads, terms = jax.lax.pmean((grads, terms), axis_name)
    updates: Any
    updates, opt_state = task.optimizer.update(grads, state.opt_state, trained)
    # An optimizer may change weights without a gradient: by decay.
    updates = (_others(jnp.zeros_like, updates[0], task.trainable), updates[1])
    updates = optax.tree.scale(state.rate_scale, updates)
    applied: Any = optax.apply_updates(trained, updates)
    params, adapters = applied
    proposed = state.replace(
        step=state.step + 1,
        params=params,
        batch_stats=batch_stats,
        adapters=adapters,
        average=_update_average(task.average, state, params, batch_stats),
        opt_state=opt_state,
    )
    norm = optax.tree.norm(grads)
    healthy = state.healthy & jnp.isfinite(norm)
    for term in terms.values():
        healthy &= jnp.isfinite(term)
    updated = jax.tree.map(
        lambda new, old: jnp.where(healthy, new, old), proposed, state
    )
    metrics = {**terms, "grad_norm": norm, "healthy": healthy}
    if SIGNAL in batch:
        metrics[SIGNAL] = jnp.max(batch[SIGNAL])
        if axis_name is not None:
            metrics[SIGNAL] = jax.lax.pmax(metrics[SIGNAL], axis_name)
    return updated.replace(healthy=healthy), metrics


def _others(change: Callable, params: dict, trainable: Sequence[str]) -> dict:
    """Applies `change` to the layers that are not `trainable`, if any are named."""
    return {
        layer: jax.tree.map(change, weights)
        if trainable and layer not in trainable
        else weights
        for layer, weights in params.items()
    }


def _update_average(decay: float, state: TrainState, params, batch_stats) -> dict:
    """Updates the moving average, whose decay is lower in the first steps."""
    if not state.average:
        return {}
    least = jnp.minimum(decay, (1 + state.step) / (10 + state.step))
    latest = {"params": params, "batch_stats": batch_stats}
    average: Any = optax.incremental_update(latest, state.average, 1 - least)
    return average


def _picture_keys(key, count, axis_name):
    """A random key per picture, independent of how the batch is sharded."""
    index = jnp.arange(count)
    if axis_name is not None:
        index += jax.lax.axis_index(axis_name) * count
    return jax.vmap(lambda i: jax.random.fold_in(key, i))(index)
