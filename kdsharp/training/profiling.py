"""Profiles of some training steps, for TensorBoard and Perfetto."""

import contextlib
import logging
import math
from pathlib import Path

import jax

from kdsharp.errors import UserError
from kdsharp.training import hosts

logger = logging.getLogger(__name__)


class Profile:
    """Traces COUNT steps after the first FIRST, for a spec `FIRST:COUNT`.

    An empty spec traces nothing. Only the primary host traces.
    """

    def __init__(self, spec: str, folder: Path):
        self._first, self._count = _parse(spec)
        self._folder = folder
        self._taken = 0
        self._tracing = False

    @property
    def steps_to_edge(self) -> float:
        """The number of steps until the trace begins or ends."""
        edges = (self._first, self._first + self._count) if self._count else ()
        return min(
            (e - self._taken for e in edges if e > self._taken), default=math.inf
        )

    @contextlib.contextmanager
    def steps(self, number: int, count: int):
        """Traces the block, `count` steps from `number` on, if the spec says so."""
        if self._taken == self._first and self._count and hosts.is_primary():
            jax.profiler.start_trace(str(self._folder), create_perfetto_trace=True)
            self._tracing = True
        with jax.profiler.StepTraceAnnotation("train", step_num=number):
            yield
        self._taken += count

    @property
    def is_complete(self) -> bool:
        """Whether all steps to trace have run."""
        return self._tracing and self._taken == self._first + self._count

    def stop(self) -> None:
        """Stops tracing and writes the profile."""
        if self._tracing:
            self._tracing = False
            jax.profiler.stop_trace()
            logger.info("profile   %s", self._folder)


def _parse(spec: str) -> tuple[int, int]:
    if not spec:
        return 0, 0
    first, colon, count = spec.partition(":")
    if not (colon and first.isdecimal() and count.isdecimal() and int(count)):
        raise UserError(
            f"config.profile {spec!r} must be the first step to trace and how many, "
            "such as 10:5"
        )
    return int(first), int(count)
