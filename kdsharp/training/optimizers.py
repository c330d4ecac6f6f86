"""Optimizers and learning-rate schedules, built from optax."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from ml_collections import ConfigDict

from kdsharp.base import choices
from kdsharp.core import metrics
from kdsharp.errors import UserError
from kdsharp.training import packing

RULES = ("adam", "muon")

# Kernels with fewer input or output channels map pixels, not features.
_MIN_FEATURES = 8
# The learning rate of Adam for parameters without Muon, relative to Muon's.
_ADAM_RATE_FACTOR = 1 / 3

_SCHEDULES = "constant, cosine, step:EPOCHS,FACTOR, plateau:EVALUATIONS,FACTOR"


def create(
    config: ConfigDict, steps: int | None, steps_per_epoch: int
) -> optax.GradientTransformation:
    """Creates the optimizer of a config for a number of steps.

    If the run ends by time, `steps` is None and a cosine is applied by `budget_scale`.

    Adam's weight decay is added to the gradient, as in PyTorch's Adam and in the
    reports, not decoupled as in AdamW. Muon's is decoupled, since Muon ignores the norm
    of the gradient.
    """
    if config.rule not in RULES:
        raise choices.unknown("optimizer rule", config.rule, RULES)
    rate = _schedule_by_update(config, steps, steps_per_epoch)
    if config.rule == "adam":
        parts = [optax.add_decayed_weights(config.weight_decay), optax.adam(rate)]
    else:
        parts = [_muon(rate, config.weight_decay)]
    if config.clip_norm:
        parts.insert(0, optax.clip_by_global_norm(config.clip_norm))
    optimizer = optax.chain(*parts)
    if config.accumulate > 1:
        several = optax.MultiSteps(optimizer, config.accumulate)
        return several.gradient_transformation()
    return optimizer


def create_schedule(
    config: ConfigDict, steps: int | None, steps_per_epoch: int
) -> optax.Schedule:
    """Creates the learning rate as a function of the step."""
    rate = _schedule_by_update(config, steps, steps_per_epoch)
    return lambda step: rate(step // config.accumulate)


def budget_scale(config: ConfigDict, share: float) -> float:
    """The factor of the learning rate when a fraction of the time budget is used."""
    name, _ = _parse(config.schedule)
    return float(0.5 * (1 + np.cos(np.pi * share))) if name == "cosine" else 1.0


class Plateau:
    """Lowers the learning rate when a validation metric stops improving."""

    def __init__(self, config: ConfigDict, metric: str):
        self._metric = metric
        self._reduce: optax.GradientTransformationExtraArgs | None = None
        self._state: Any = None
        name, numbers = _parse(config.schedule)
        if name == "plateau":
            evaluations, factor = numbers
            self._reduce = optax.contrib.reduce_on_plateau(
                factor=factor,
                patience=int(evaluations),
                # Any improvement counts, so the smallest tolerance.
                rtol=0.0,
                atol=1e-9,
            )
            self._state = self._reduce.init(jnp.zeros(()))

    def update(self, scores: dict[str, float]) -> float:
        """Takes the scores of an evaluation; returns the learning-rate factor."""
        if self._reduce is not None:
            score = scores[self._metric]
            _, self._state = self._reduce.update(
                {},
                self._state,
                value=-score if self._metric in metrics.MAXIMISED else score,
            )
        return self.scale

    @property
    def scale(self) -> float:
        """The current factor of the learning rate."""
        return float(self._state.scale) if self._state else 1.0

    def state_dict(self) -> dict:
        """The state to save in a checkpoint."""
        fields = self._state._asdict() if self._state else {}
        return {name: float(value) for name, value in fields.items()}

    def load_state_dict(self, state: dict) -> None:
        """Restores a state from `state_dict`."""
        if self._state:
            fields = self._state._asdict()
            self._state = self._state._replace(
                **{n: jnp.asarray(state[n], v.dtype) for n, v in fields.items()}
            )


def _muon(rate: optax.Schedule, weight_decay: float) -> optax.GradientTransformation:
    """Muon for kernels between features, Adam for all other parameters.

    Muon orthogonalises the update (Jordan et al., "Muon", 2024), here scaled to the RMS
    of Adam's (Liu et al., "Muon is Scalable for LLM Training", 2025). Biases, norms and
    the kernels from and to pixels use Adam with Nesterov momentum, without decay.
    """
    rule = optax.contrib.muon(
        rate,
        adam_learning_rate=lambda update: rate(update) * _ADAM_RATE_FACTOR,
        # One for each array of a tree, which the type of the parameter leaves out.
        muon_weight_dimension_numbers=_dimensions,  # pyright: ignore[reportArgumentType]
        weight_decay=weight_decay,
        consistent_rms=0.2,
    )
    return packing.wrap(rule, _is_matrix)


def _is_matrix(weight: jax.Array) -> bool:
    """Whether a parameter is a kernel between features."""
    return weight.ndim >= 2 and min(weight.shape[-2:]) >= _MIN_FEATURES


def _dimensions(packed: dict) -> dict:
    """The axes of stacked kernels that are rows and columns for Muon."""
    stacks = {
        name: optax.contrib.MuonDimensionNumbers(
            tuple(range(1, stack.ndim - 1)), stack.ndim - 1
        )
        for name, stack in packed[packing.MATRICES].items()
    }
    return {packing.MATRICES: stacks, packing.REST: None}


def _schedule_by_update(
    config: ConfigDict, steps: int | None, steps_per_epoch: int
) -> optax.Schedule:
    """Creates the learning rate as a function of the number of updates."""
    if config.accumulate < 1:
        raise UserError(
            f"config.optimizer.accumulate must be at least 1, not {config.accumulate}"
        )
    peak, warmup = config.learning_rate, config.warmup_steps
    if steps is not None:
        updates = max(1, steps // config.accumulate)
        warmup = min(warmup, updates - 1)
    name, numbers = _parse(config.schedule)
    match name:
        case "cosine" if steps is not None:
            return optax.warmup_cosine_decay_schedule(0.0, peak, warmup, updates)
        case "step":
            epochs, factor = numbers
            every = max(1, int(epochs * steps_per_epoch) // config.accumulate)
            after = optax.exponential_decay(peak, every, factor, staircase=True)
        case _:
            after = optax.constant_schedule(peak)
    if not warmup:
        return after
    rise = optax.linear_schedule(0.0, peak, warmup)
    return optax.join_schedules([rise, after], [warmup])


def _parse(schedule: str) -> tuple[str, tuple[float, ...]]:
    """Parses a schedule into its name and numbers."""
    name, colon, rest = schedule.partition(":")
    try:
        numbers = tuple(float(number) for number in rest.split(",")) if colon else ()
    except ValueError:
        numbers = None
    expected = {"constant": 0, "cosine": 0, "step": 2, "plateau": 2}.get(name)
    if numbers is None or expected != len(numbers):
        raise UserError(f"unknown schedule {schedule!r}; choose one of: {_SCHEDULES}")
    if numbers and not (numbers[0] >= 1 and 0 < numbers[1] < 1):
        raise UserError(
            f"schedule {schedule!r} needs a number of at least 1 and a factor between "
            "0 and 1"
        )
    return name, numbers
