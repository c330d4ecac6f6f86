"""Builds the parts of a run from its config and checks them, before any writing."""

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import numpy as np
from ml_collections import ConfigDict

from kdsharp import models
from kdsharp.base import choices
from kdsharp.core import degradations, objectives, views
from kdsharp.data import pipeline
from kdsharp.data.sources import Source
from kdsharp.errors import UserError
from kdsharp.training import (
    calls,
    context_fit,
    feeding,
    optimizers,
    parallel,
    rounding,
    teaching,
    validation,
    writers,
)
from kdsharp.training.budget import Budget
from kdsharp.training.state import TrainState, create_state, init_variables
from kdsharp.training.step import Task
from kdsharp.training.stopping import Patience
from kdsharp.training.teaching import Teacher, Teaching

_DTYPES = ("float32", "bfloat16")


@dataclasses.dataclass(frozen=True)
class Parts:
    """The parts of a run.

    `steps` is None if the run ends by time. `frozen` holds the variables that steps
    only read: those of the teachers and of VGG16. `fit_context`, if it is not None,
    fits the context in the first parameters to the rest of them.
    """

    steps: int | None
    steps_per_epoch: int
    steps_per_call: int
    devices: Any
    feed: feeding.Feed
    task: Task
    state: TrainState
    frozen: dict[str, Any]
    schedule: Callable[[int], Any]
    plateau: optimizers.Plateau
    patience: Patience
    budget: Budget
    validate: validation.Validation
    fit_context: Callable[[dict], dict] | None


def create_model(config: ConfigDict, axis_name: str | None = None) -> nn.Module:
    """Builds the network that a config describes."""
    if config.dtype not in _DTYPES:
        raise choices.unknown("dtype", config.dtype, _DTYPES)
    return models.create(**config.model, dtype=config.dtype, axis_name=axis_name)


def build(
    config: ConfigDict,
    *,
    sources: dict[str, Source],
    teachers: Sequence[Teacher] = (),
    initial: dict | None = None,
    fits_context: bool = False,
    vgg: tuple[nn.Module, dict] | None = None,
) -> Parts:
    """Builds the parts of the run that a config describes.

    Args:
      config: the config of the run.
      sources: the sources `train` and `valid`.
      teachers: the teachers of a student.
      initial: variables to start from, instead of random ones.
      fits_context: whether their context is random and to be fitted to the rest.
      vgg: the network of the perceptual loss and its variables.
    """
    steps_per_epoch = _count_steps(config, sources["train"])
    budget = Budget(config.budget)
    writers.check(config.writers)
    steps = None if budget.limited else steps_per_epoch * config.epochs
    devices = parallel.create(config.parallel, config.batch_size, config.devices)
    feed = feeding.create(config, sources["train"], devices)
    steps_per_call = calls.choose(
        config.steps_per_call, devices.platform, feed.placement
    )
    model = create_model(config)
    length = (config.optimizer, steps, steps_per_epoch)
    _check_frames(config, sources["train"])
    rounding.check(config.rounding, config.model.get("convolution", "plain"))
    task = _create_task(config, devices, optimizers.create(*length), teachers, vgg)
    return Parts(
        steps=steps,
        steps_per_epoch=steps_per_epoch,
        steps_per_call=steps_per_call,
        devices=devices,
        feed=feed,
        task=task,
        state=_create_state(config, model, task, teachers, initial),
        frozen={
            "teachers": [teacher.variables or {} for teacher in teachers],
            "vgg": vgg and vgg[1],
        },
        schedule=optimizers.create_schedule(*length),
        plateau=optimizers.Plateau(config.optimizer, config.stopping.metric),
        patience=Patience(config.stopping.metric, config.stopping.patience),
        budget=budget,
        validate=_create_validation(config, model, task, sources["valid"]),
        fit_context=partial(
            context_fit.fit,
            task,
            source=sources["train"],
            size=config.validation.size,
            harm=config.objective.get("harm") or 1.0,
        )
        if fits_context
        else None,
    )


def _count_steps(config: ConfigDict, source: Source) -> int:
    """Computes the steps per epoch; raises an error for invalid pipeline settings."""
    if config.epochs < 1:
        raise UserError(f"config.epochs must be at least 1, not {config.epochs}")
    crops = config.data.crops_per_picture
    size = feeding.patch_size(config)
    pipeline.check(
        source, config.batch_size, size, crops, config.data.augment, config.seed
    )
    return pipeline.steps_per_epoch(source, config.batch_size, crops)


def _check_frames(config: ConfigDict, source: Source) -> None:
    """Raises an error if what needs windows of frames gets single pictures."""
    terms = objectives.in_use(config.objective)
    asking = [f"loss term {term!r}" for term in objectives.needing("frames", terms)]
    if config.model.get("memory"):
        asking.append("config.model.memory")
    if asking and source[0]["sharp"].shape[2] == 3:
        raise UserError(
            f"{asking[0]} needs windows of several frames: append '?frames=8' to a "
            "source of clips"
        )


def _create_task(config, devices, optimizer, teachers, vgg) -> Task:
    return Task(
        model=create_model(config, devices.axis_name),
        channels=config.model.channels,
        objective=objectives.create(
            config.objective, [teacher.share for teacher in teachers]
        ),
        degrade=degradations.create(config.degradation),
        grid_shift=config.data.grid_shift,
        optimizer=optimizer,
        seed=config.seed,
        teaching=_create_teaching(config, teachers),
        vgg=vgg and vgg[0],
        average=config.optimizer.average,
        trainable=trainable_layers(config),
        rounded=bool(config.rounding),
    )


def trainable_layers(config: ConfigDict) -> tuple[str, ...]:
    """The names in `config.trainable`; none if all layers are trained."""
    return tuple(name.strip() for name in config.trainable.split(",") if name)


def _create_teaching(config: ConfigDict, teachers: Sequence[Teacher]) -> Teaching:
    """Creates the `Teaching`, checked against the needs of the loss terms."""
    layers = teaching.parse_layers(config.features)
    others = views.create(config.views)
    terms = objectives.in_use(config.objective)
    for need, value in (("features", layers), ("views", others)):
        named, where = objectives.needing(need, terms), f"config.{need}"
        if named and not value:
            raise UserError(f"loss term {named[0]!r} needs {where}")
        if value and not named:
            needing = " or ".join(objectives.needing(need))
            raise UserError(f"{where} is given, but no term needs it: {needing}")
    if not config.optimizer.average and any(t.model is None for t in teachers):
        raise UserError("the teacher 'self' needs config.optimizer.average, as 0.999")
    return Teaching(tuple(teacher.model for teacher in teachers), layers, others)


def _create_state(config, model, task, teachers, initial) -> TrainState:
    channels, key = config.model.channels, jax.random.key(config.seed)
    if initial is None:
        initial = init_variables(model, channels, key)
    adapters = {}
    if task.teaching.layers:
        # Created even if no term needs adapters, since this checks the layer names.
        adapters = teaching.create_adapters(
            task.teaching, model, initial, teachers, channels, key
        )
    terms = objectives.in_use(config.objective)
    for layer in task.trainable:
        if layer not in initial["params"]:
            raise choices.unknown("layer to train", layer, initial["params"])
    return create_state(
        initial,
        task.optimizer,
        adapters=adapters if objectives.needing("adapters", terms) else {},
        averaged=bool(config.optimizer.average),
    )


def _create_validation(config, model, task, source: Source) -> validation.Validation:
    size = config.validation.size + config.data.grid_shift
    crops = validation.center_crops(source, size, config.validation.pictures)
    return validation.Validation(
        model, task.channels, task.degrade, crops, config.seed, config.data.grid_shift
    )


def as_host_arrays(state: TrainState) -> TrainState:
    """Copies a state to NumPy arrays, as the template for restoring checkpoints."""
    return jax.tree.map(np.asarray, state)
