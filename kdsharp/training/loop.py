"""The one loop: trains a teacher, or a student under a teacher.

`Run.train` is the story: resume, step, log, evaluate, save, finish.
"""

import contextlib
import dataclasses
import logging
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict
from tqdm.contrib.logging import logging_redirect_tqdm

from kdsharp import models
from kdsharp.base.signals import Interruption
from kdsharp.core import degradations, objectives, views
from kdsharp.data import pipeline
from kdsharp.data.sources import Source
from kdsharp.errors import Stopped, UserError
from kdsharp.training import (
    calls,
    clock,
    feeding,
    hosts,
    optimizers,
    parallel,
    teaching,
    validation,
)
from kdsharp.training.budget import Budget
from kdsharp.training.checkpoints import Checkpoints
from kdsharp.training.profiling import Profile
from kdsharp.training.progress import Progress
from kdsharp.training.state import create_state, init_variables
from kdsharp.training.step import SIGNAL, Task
from kdsharp.training.stopping import Patience
from kdsharp.training.teaching import Teacher, Teaching

logger = logging.getLogger(__name__)

_DTYPES = ("float32", "bfloat16")


class Interrupted(Stopped):
    """A signal ended the run; its state is saved."""

    def __init__(self, number: signal.Signals, step: int):
        super().__init__(
            f"{number.name} at step {step}: saved; the same command goes on from there"
        )
        self.exit_status = 128 + number


class Diverged(Stopped):
    """The loss is not a number any more; the state before that is saved."""

    exit_status = 1


@dataclasses.dataclass(frozen=True)
class Result:
    """The best network of a run, and what became of the run."""

    variables: dict
    step: int
    scores: dict[str, float]
    input_scores: dict[str, float]
    # All that were taken, how long they took, and how: for the card.
    steps: int
    seconds: float
    placement: str
    steps_per_call: int


def create_model(config: ConfigDict, axis_name: str | None = None) -> nn.Module:
    """Returns the network that a config describes."""
    if config.dtype not in _DTYPES:
        raise UserError(
            f"unknown dtype {config.dtype!r}; there are: {', '.join(_DTYPES)}"
        )
    return models.create(**config.model, dtype=config.dtype, axis_name=axis_name)


def _create_teaching(config: ConfigDict, teachers: Sequence[Teacher]) -> Teaching:
    """Returns what teachers show, checked against the terms that ask for it."""
    layers = teaching.parse_layers(config.features)
    others = views.create(config.views)
    terms = objectives.in_use(config.objective)
    for need, given in (("features", layers), ("views", others)):
        named, where = objectives.needing(need, terms), f"config.{need}"
        if named and not given:
            raise UserError(f"loss term {named[0]!r} needs {where}")
        if given and not named:
            wanted = " or ".join(objectives.needing(need))
            raise UserError(f"{where} is given, but no term asks for it: {wanted}")
    if not config.optimizer.average and any(t.model is None for t in teachers):
        raise UserError("the teacher 'self' needs config.optimizer.average, as 0.999")
    return Teaching(tuple(teacher.model for teacher in teachers), layers, others)


@contextlib.contextmanager
def _memory_told() -> Iterator[None]:
    """Says in a sentence when a device's memory does not hold a step."""
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise UserError(
            "a device's memory does not hold a step: lower config.batch_size, or leave "
            "the pictures on the host by --config.data.placement=host"
        ) from error


class Run:
    """The parts of a run and where it stands.

    Creating one checks the config and writes nothing. `sources` holds the pictures,
    `train` and `valid`; `initial` variables are trained on instead of random ones;
    `vgg` is what the perceptual loss sees with, and its variables.
    """

    def __init__(
        self,
        config: ConfigDict,
        workdir: Path,
        *,
        sources: dict[str, Source],
        teachers: Sequence[Teacher] = (),
        initial: dict | None = None,
        vgg: tuple[nn.Module, dict] | None = None,
    ):
        self._created = time.monotonic()
        self._config = config
        self._workdir = workdir
        self._source = sources["train"]
        if config.epochs < 1:
            raise UserError(f"config.epochs is {config.epochs}; it must be at least 1")
        pipeline.check(
            self._source,
            config.batch_size,
            feeding.patch_size(config),
            config.data.crops_per_picture,
            config.data.augment,
            config.seed,
        )
        self._steps_per_epoch = pipeline.steps_per_epoch(
            self._source, config.batch_size, config.data.crops_per_picture
        )
        self._budget = Budget(config.budget)
        # Of a run that time ends, nobody knows beforehand.
        self._steps = (
            None if self._budget.limits else self._steps_per_epoch * config.epochs
        )
        self._devices = parallel.create(
            config.parallel, config.batch_size, config.devices
        )
        self._feed = feeding.create(config, self._source, self._devices)
        self._steps_per_call = calls.choose(
            config.steps_per_call, self._devices.platform, self._feed.placement
        )
        self._model = create_model(config)
        degrade = degradations.create(config.degradation)
        length = (config.optimizer, self._steps, self._steps_per_epoch)
        task = self._task = Task(
            model=create_model(config, self._devices.axis_name),
            channels=config.model.channels,
            objective=objectives.create(
                config.objective, [teacher.share for teacher in teachers]
            ),
            degrade=degrade,
            grid_shift=config.data.grid_shift,
            optimizer=optimizers.create(*length),
            seed=config.seed,
            teaching=_create_teaching(config, teachers),
            vgg=vgg and vgg[0],
            average=config.optimizer.average,
        )
        self._schedule = optimizers.create_schedule(*length)
        self._plateau = optimizers.Plateau(config.optimizer, config.stopping.metric)
        self._frozen = {
            "teachers": [teacher.variables or {} for teacher in teachers],
            "vgg": vgg and vgg[1],
        }
        key = jax.random.key(config.seed)
        if initial is None:
            initial = init_variables(self._model, config.model.channels, key)
        adapters = {}
        terms = objectives.in_use(config.objective)
        if task.teaching.layers:
            adapters = teaching.create_adapters(
                task.teaching,
                self._model,
                initial,
                teachers,
                config.model.channels,
                key,
            )
        self._state = create_state(
            initial,
            task.optimizer,
            adapters=adapters if objectives.needing("adapters", terms) else {},
            averaged=bool(config.optimizer.average),
        )
        self._like = jax.tree.map(np.asarray, self._state)
        self._validate = validation.Validation(
            self._model,
            config.model.channels,
            degrade,
            validation.center_crops(
                sources["valid"],
                config.validation.size + config.data.grid_shift,
                config.validation.pictures,
            ),
            config.seed,
            config.data.grid_shift,
        )
        self._patience = Patience(config.stopping.metric, config.stopping.patience)
        self._clock = clock.Clock(config.batch_size)
        self._window: list[dict[str, float]] = []
        self._unread = []
        self._step = 0
        self._interruption = Interruption()
        self._profile = Profile(config.get("profile", ""), workdir / "profile")
        self._told = 0
        self._rate_scale = 1.0
        self._compiled = False

    def train(self) -> Result:
        """Trains to the end of the epochs or the budget, or until nothing improves.

        Returns the best network. A run that was interrupted goes on from its newest
        checkpoint.
        """
        self._resume()
        with self._interruption, logging_redirect_tqdm(), _memory_told():
            for batches in self._calls():
                self._train_on(batches)
                self._budget.look()
                if self._at(self._config.log_every):
                    self._write_log()
                evaluates = self._at(self._steps_per_epoch) or self._over
                if evaluates:
                    self._evaluate()
                if evaluates or self._at(self._config.checkpoint_every):
                    self._save()
                if self._signal:
                    self._leave(signal.Signals(self._signal))
        return self._finish()

    def _resume(self) -> None:
        """Goes to where the newest checkpoint stands, or to the start."""
        self._checkpoints = Checkpoints(
            self._workdir / "checkpoints", self._devices.to_save
        )
        restored = self._checkpoints.restore(self._like)
        if restored is not None:
            self._state, self._step = restored.tree, restored.step
            self._window = restored.progress["window"]
            self._patience.load_state_dict(restored.progress["patience"])
            self._plateau.load_state_dict(restored.progress["plateau"])
            self._budget.resume(restored.progress["seconds"])
            self._rate_scale = float(restored.tree.rate_scale)
            logger.info(
                "goes on from step %d%s",
                self._step,
                f" of {self._steps}"
                if self._steps
                else f", with {clock.words(self._budget.left)} left",
            )
        self._state = self._devices.replicate(self._state)
        self._progress = Progress(self._workdir, self._step, self._steps)

    def _calls(self) -> Iterator[list[dict]]:
        """Yields the batches of a call, until the run is over."""
        if self._over:
            return
        self._frozen |= self._feed.load()
        self._frozen = self._devices.replicate(self._frozen)
        self._call = calls.Calls(
            self._feed.step(self._task), self._steps_per_call, self._devices
        )
        batches = iter(self._feed.batches(self._step))
        while not self._over:
            with self._clock.waiting():
                held = [next(batches) for _ in range(self._until_next())]
            yield held

    def _until_next(self) -> int:
        """Returns how many steps may be taken before something else has to happen."""
        intervals = (
            self._config.log_every,
            self._config.checkpoint_every,
            self._steps_per_epoch,
        )
        nearest = min(interval - self._step % interval for interval in intervals)
        return int(min(self._steps_per_call, nearest, self._profile.until))

    def _at(self, interval: int) -> bool:
        """Returns whether this step ends such an interval."""
        return self._step % interval == 0

    def _train_on(self, batches: list[dict]) -> None:
        """Takes a call's steps; reads the metrics of the call before meanwhile."""
        if hosts.count() > 1:
            for batch in batches:
                rows = len(next(iter(batch.values())))
                batch[SIGNAL] = np.full(rows, self._interruption.signal or 0, np.int32)
        if self._budget.limits:
            self._set_rate()
        # What is put on the devices here travels while the call before still runs: its
        # metrics are waited for afterwards.
        if hosts.count() > 1 and not self._compiled:
            self._call.compile(self._state, self._frozen, batches)
            hosts.meet()
        with self._profile.steps(self._step, len(batches)):
            self._state, metrics = self._call(self._state, self._frozen, batches)
            self._step += len(batches)
            self._unread.append(metrics)
            self._read_metrics(all_but=1)
        if self._profile.ends:
            self._read_metrics()
            self._profile.end()
        self._clock.tick(len(batches))
        self._progress.advance(len(batches))
        if not self._compiled:
            self._compiled = True
            self._read_metrics()
            self._clock.restart()
            self._budget.begin()
            logger.info("first step after %.1f s", time.monotonic() - self._created)

    def _write_log(self) -> None:
        """Writes the means since the last time."""
        self._read_metrics()
        means = {
            f"train/{name}": float(np.mean([values[name] for values in self._window]))
            for name in self._window[0]
        }
        self._window.clear()
        rate = self._rate_scale * float(self._schedule(self._step - 1))
        rates = self._clock.read()
        if self._budget.limits:
            left = clock.words(self._budget.left)
        else:
            left = self._clock.left(self._steps - self._step)
        self._progress.tell_means(
            self._step, {**means, "train/learning_rate": rate, **rates}, left
        )

    def _evaluate(self) -> None:
        """Scores the network; keeps it if it is the best so far."""
        self._read_metrics()
        with self._clock.paused():
            variables = self._devices.to_host(self._state.variables)
            scores = hosts.on_primary_host(lambda: self._validate(variables))
            if self._patience.update(self._step, scores):
                self._checkpoints.save_best(self._step, variables, scores)
            before = self._plateau.scale
            if self._plateau.update(scores) != before:
                self._progress.tell_rate(self._step, self._plateau.scale)
                self._set_rate()
        self._progress.tell_scores(
            self._step, scores, validation.no_gain(scores, self._validate.input)
        )

    def _set_rate(self) -> None:
        """Sets the factor of the learning rate, by the plateau and the time."""
        self._rate_scale = self._plateau.scale
        if self._budget.limits:
            self._rate_scale *= optimizers.of_budget(
                self._config.optimizer, self._budget.share
            )
        self._state = self._state.replace(
            rate_scale=self._devices.replicate(np.float32(self._rate_scale))
        )

    def _save(self) -> None:
        """Writes a checkpoint, in the background."""
        self._read_metrics()
        with self._clock.paused():
            self._checkpoints.save(
                self._step,
                self._devices.to_host(self._state),
                {
                    "window": self._window,
                    "patience": self._patience.state_dict(),
                    "plateau": self._plateau.state_dict(),
                    "seconds": self._budget.used,
                },
            )

    @property
    def _signal(self) -> int:
        """Returns the signal that a host was sent, once all of them know; or 0."""
        if hosts.count() > 1:
            return self._told
        return self._interruption.signal or 0

    def _leave(self, number: signal.Signals) -> None:
        """Ends the run for now."""
        self._save()
        self._close()
        raise Interrupted(number, self._step)

    def _finish(self) -> Result:
        """Ends the run for good; returns its best network."""
        if self._patience.exhausted:
            logger.info(
                "stopped at step %d: %s has not improved for %d evaluations",
                self._step,
                self._patience.metric,
                self._patience.patience,
            )
        best = self._checkpoints.restore_best(self._like.variables)
        self._close()
        return Result(
            variables=best.tree,
            step=best.step,
            scores=best.progress,
            input_scores=self._validate.input,
            steps=self._step,
            seconds=self._budget.used,
            placement=self._feed.placement,
            steps_per_call=self._steps_per_call,
        )

    @property
    def _over(self) -> bool:
        ended = self._budget.over if self._steps is None else self._step >= self._steps
        return ended or self._patience.exhausted

    def _read_metrics(self, all_but: int = 0) -> None:
        """Moves metrics from the devices to the window; stops at what is no number."""
        while len(self._unread) > all_but:
            for values in self._unread.pop(0).read():
                self._told = self._told or int(values.pop(SIGNAL, 0))
                if not values.pop("healthy"):
                    self._diverge(values)
                self._window.append(values)

    def _diverge(self, values: dict[str, float]) -> None:
        # An unhealthy state stands still, so it is the last good one.
        self._state = self._state.replace(healthy=jnp.ones_like(self._state.healthy))
        self._unread.clear()
        self._step = int(np.max(self._state.step))
        self._save()
        self._close()
        terms = ", ".join(f"{name} {value:g}" for name, value in values.items())
        raise Diverged(
            f"step {self._step + 1} is not finite ({terms}); the state after step "
            f"{self._step} is kept in {self._workdir}: try a lower "
            "config.optimizer.learning_rate in a new work folder"
        )

    def _close(self) -> None:
        self._profile.end()
        self._checkpoints.close()
        self._progress.close()
