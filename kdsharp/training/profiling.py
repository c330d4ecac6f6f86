"""A profile of some steps, for TensorBoard and Perfetto."""

import contextlib
import logging
import math
from pathlib import Path

import jax

from kdsharp.errors import UserError
from kdsharp.training import hosts

logger = logging.getLogger(__name__)


class Profile:
    """Traces COUNT steps from the FIRST after the start on: `spec` is `FIRST:COUNT`.

    Empty traces none. Of several hosts the first one does.
    """

    def __init__(self, spec: str, folder: Path):
        self._first, self._count = _parse(spec)
        self._folder = folder
        self._taken = 0
        self._tracing = False

    @property
    def until(self) -> float:
        """The number of steps until a trace begins or ends."""
        edges = (self._first, self._first + self._count) if self._count else ()
        return min(
            (e - self._taken for e in edges if e > self._taken), default=math.inf
        )

    @contextlib.contextmanager
    def steps(self, number: int, count: int):
        """Traces the steps inside, `count` of them from `number` on, if asked for."""
        if self._taken == self._first and self._count and hosts.is_first():
            # The trace that Perfetto opens is written beside that of TensorBoard.
            jax.profiler.start_trace(str(self._folder), create_perfetto_trace=True)
            self._tracing = True
        with jax.profiler.StepTraceAnnotation("train", step_num=number):
            yield
        self._taken += count

    @property
    def ends(self) -> bool:
        """Whether the last steps to trace have been taken."""
        return self._tracing and self._taken == self._first + self._count

    def end(self) -> None:
        """Writes what was traced."""
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
            f"config.profile {spec!r}: give the first step to trace and how many, as "
            "10:5"
        )
    return int(first), int(count)
