"""The training loop, for teachers and students.

`Run.train` resumes, steps, logs, evaluates, saves and finishes. `building` builds the
parts of a run from its config, `recorder` writes its metrics.
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

from kdsharp.base.signals import Interruption
from kdsharp.data.sources import Source
from kdsharp.errors import Stopped, UserError
from kdsharp.training import (
    building,
    calls,
    clock,
    hosts,
    optimizers,
    recorder,
    validation,
)
from kdsharp.training.checkpoints import Checkpoints
from kdsharp.training.profiling import Profile
from kdsharp.training.step import SIGNAL
from kdsharp.training.teaching import Teacher

logger = logging.getLogger(__name__)


class Interrupted(Stopped):
    """The run was stopped by a signal; its state is saved."""

    def __init__(self, number: signal.Signals, step: int):
        super().__init__(
            f"{number.name} at step {step}: saved; run the same command to continue"
        )
        self.exit_status = 128 + number


class Diverged(Stopped):
    """The loss became non-finite; the last finite state is saved."""

    exit_status = 1


@dataclasses.dataclass(frozen=True)
class Result:
    """The best network of a run, its scores, and facts for its card."""

    variables: dict
    step: int
    scores: dict[str, float]
    input_scores: dict[str, float]
    # Steps and seconds of the whole run.
    steps: int
    seconds: float
    placement: str
    steps_per_call: int


class Run:
    """A run and its state.

    Creating one checks the config and writes nothing.
    """

    def __init__(
        self,
        config: ConfigDict,
        workdir: Path,
        *,
        sources: dict[str, Source],
        teachers: Sequence[Teacher] = (),
        initial: dict | None = None,
        fits_context: bool = False,
        vgg: tuple[nn.Module, dict] | None = None,
    ):
        self._created = time.monotonic()
        self._config = config
        self._workdir = workdir
        self._parts = building.build(
            config,
            sources=sources,
            teachers=teachers,
            initial=initial,
            fits_context=fits_context,
            vgg=vgg,
        )
        self._profile = Profile(config.profile, workdir / "profile")
        self._interruption = Interruption()
        self._state = self._parts.state
        self._like = building.as_host_arrays(self._state)
        self._step = 0
        self._rate_scale = 1.0
        self._compiled = False

    def train(self) -> Result:
        """Trains until the epochs or the budget end, or early stopping; resumes.

        Returns the best network. An interrupted run continues from its newest
        checkpoint.
        """
        self._resume()
        with self._interruption, logging_redirect_tqdm(), _explain_memory():
            try:
                for batches in self._batches():
                    self._train_on(batches)
                    self._parts.budget.update()
                    if self._is_due(self._config.log_every):
                        self._log()
                    evaluates = self._is_due(self._parts.steps_per_epoch) or self._ended
                    if evaluates:
                        self._evaluate()
                    if evaluates or self._is_due(self._config.checkpoint_every):
                        self._save()
                    if self._signal:
                        self._interrupt(signal.Signals(self._signal))
            except recorder.NotFinite as found:
                self._diverge(found.values)
        return self._finish()

    def _resume(self) -> None:
        """Loads the newest checkpoint, if there is one."""
        parts = self._parts
        self._checkpoints = Checkpoints(
            self._workdir / "checkpoints", parts.devices.to_save
        )
        restored = self._checkpoints.restore(self._like)
        if restored is not None:
            self._state, self._step = restored.tree, restored.step
            self._rate_scale = float(restored.tree.rate_scale)
            parts.patience.load_state_dict(restored.progress["patience"])
            parts.plateau.load_state_dict(restored.progress["plateau"])
            parts.budget.resume(restored.progress["seconds"])
            logger.info(
                "resuming from step %d%s",
                self._step,
                f" of {parts.steps}"
                if parts.steps
                else f", with {clock.format_duration(parts.budget.remaining)} left",
            )
        elif parts.fit_context is not None:
            params = parts.fit_context(self._state.params)
            average = self._state.average and self._state.average | {"params": params}
            # A copy, since steps donate each buffer only once.
            average = jax.tree.map(jnp.copy, average)
            self._state = self._state.replace(params=params, average=average)
        self._state = parts.devices.replicate(self._state)
        self._recorder = recorder.Recorder(
            self._config, self._workdir, self._step, parts.steps
        )
        if restored is not None:
            self._recorder.window = restored.progress["window"]

    def _batches(self) -> Iterator[list[dict]]:
        """Yields the batches of each call until the run has ended."""
        if self._ended:
            return
        parts = self._parts
        self._frozen = parts.devices.replicate(parts.frozen | parts.feed.load())
        step = parts.feed.step(parts.task)
        self._call = calls.Calls(step, parts.steps_per_call, parts.devices)
        batches = iter(parts.feed.batches(self._step))
        while not self._ended:
            with self._recorder.clock.waiting():
                call_batches = [next(batches) for _ in range(self._steps_of_a_call())]
            yield call_batches

    def _steps_of_a_call(self) -> int:
        """The number of steps until logging, saving or another event is due."""
        intervals = (
            self._config.log_every,
            self._config.checkpoint_every,
            self._parts.steps_per_epoch,
        )
        nearest = min(interval - self._step % interval for interval in intervals)
        return int(
            min(self._parts.steps_per_call, nearest, self._profile.steps_to_edge)
        )

    def _is_due(self, interval: int) -> bool:
        return self._step % interval == 0

    def _train_on(self, batches: list[dict]) -> None:
        """Runs the steps of a call, and reads the metrics of the previous one."""
        if hosts.count() > 1:
            for batch in batches:
                rows = len(next(iter(batch.values())))
                batch[SIGNAL] = np.full(rows, self._interruption.signal or 0, np.int32)
        if self._parts.budget.limited:
            self._set_rate()
        # Transfers overlap with the previous call, whose metrics are awaited later.
        if hosts.count() > 1 and not self._compiled:
            self._call.compile(self._state, self._frozen, batches)
            hosts.barrier()
        with self._profile.steps(self._step, len(batches)):
            self._state, metrics = self._call(self._state, self._frozen, batches)
            self._step += len(batches)
            self._recorder.add(metrics, len(batches))
        if self._profile.is_complete:
            self._recorder.read()
            self._profile.stop()
        self._recorder.clock.tick(len(batches))
        if not self._compiled:
            self._compiled = True
            self._recorder.read()
            self._recorder.clock.restart()
            self._parts.budget.start()
            logger.info("first step after %.1f s", time.monotonic() - self._created)

    def _log(self) -> None:
        budget = self._parts.budget
        rate = self._rate_scale * float(self._parts.schedule(self._step - 1))
        left = budget.remaining if budget.limited else None
        self._recorder.write_means(self._step, rate, left)

    def _evaluate(self) -> None:
        """Evaluates the network, and saves it if it is the best so far."""
        self._recorder.read()
        parts = self._parts
        with self._recorder.clock.paused():
            variables = parts.devices.to_host(self._state.variables)
            scores = hosts.on_primary_host(lambda: parts.validate(variables))
            if parts.patience.update(self._step, scores):
                self._checkpoints.save_best(self._step, variables, scores)
            before = parts.plateau.scale
            if parts.plateau.update(scores) != before:
                self._recorder.write_rate(self._step, parts.plateau.scale)
                self._set_rate()
        no_gain = validation.no_gain(scores, parts.validate.input)
        self._recorder.write_scores(self._step, scores, no_gain)

    def _set_rate(self) -> None:
        """Applies the learning rate factors of the plateau and the budget."""
        self._rate_scale = self._parts.plateau.scale
        if self._parts.budget.limited:
            self._rate_scale *= optimizers.budget_scale(
                self._config.optimizer, self._parts.budget.fraction
            )
        scale = self._parts.devices.replicate(np.float32(self._rate_scale))
        self._state = self._state.replace(rate_scale=scale)

    def _save(self) -> None:
        """Writes a checkpoint in the background."""
        self._recorder.read()
        with self._recorder.clock.paused():
            self._checkpoints.save(
                self._step,
                self._parts.devices.to_host(self._state),
                {
                    "window": self._recorder.window,
                    "patience": self._parts.patience.state_dict(),
                    "plateau": self._parts.plateau.state_dict(),
                    "seconds": self._parts.budget.used,
                },
            )

    @property
    def _signal(self) -> int:
        """The signal that a host received, once all hosts know of it, or 0."""
        if hosts.count() > 1:
            return self._recorder.signal
        return self._interruption.signal or 0

    @property
    def _ended(self) -> bool:
        steps, budget = self._parts.steps, self._parts.budget
        ended = budget.exhausted if steps is None else self._step >= steps
        return ended or self._parts.patience.exhausted

    def _interrupt(self, number: signal.Signals) -> None:
        """Saves the state and raises `Interrupted`."""
        self._save()
        self._close()
        raise Interrupted(number, self._step)

    def _diverge(self, values: dict[str, float]) -> None:
        """Saves the last finite state and raises `Diverged`."""
        self._state = self._state.replace(healthy=jnp.ones_like(self._state.healthy))
        self._step = int(np.max(self._state.step))
        self._save()
        self._close()
        terms = ", ".join(f"{name} {value:g}" for name, value in values.items())
        raise Diverged(
            f"step {self._step + 1} is not finite ({terms}); the state after step "
            f"{self._step} is kept in {self._workdir}: try a lower "
            "config.optimizer.learning_rate in a new work folder"
        ) from None

    def _finish(self) -> Result:
        """Ends the run and restores its best network."""
        patience = self._parts.patience
        if patience.exhausted:
            logger.info(
                "stopped at step %d: %s has not improved for %d evaluations",
                self._step,
                patience.metric,
                patience.patience,
            )
        best = self._checkpoints.restore_best(self._like.variables)
        assert best is not None  # The last evaluation kept one, if none before it did.
        self._close()
        return Result(
            variables=best.tree,
            step=best.step,
            scores=best.progress,
            input_scores=self._parts.validate.input,
            steps=self._step,
            seconds=self._parts.budget.used,
            placement=self._parts.feed.placement,
            steps_per_call=self._parts.steps_per_call,
        )

    def _close(self) -> None:
        self._profile.stop()
        self._checkpoints.close()
        self._recorder.close()


@contextlib.contextmanager
def _explain_memory() -> Iterator[None]:
    """Converts out-of-memory errors of a device to a UserError."""
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise UserError(
            "a device is out of memory: lower config.batch_size, or keep the pictures "
            "on the host with --config.data.placement=host"
        ) from error
