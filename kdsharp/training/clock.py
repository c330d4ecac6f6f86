"""Throughput of a run, and the time that it waits for input."""

import contextlib
import time
from collections.abc import Iterator


class Clock:
    """Measures the time of steps since the last `read`, excluding `paused` blocks."""

    def __init__(self, batch_size: int):
        self._batch_size = batch_size
        self._seconds_per_step = 0.0
        self.restart()

    def restart(self) -> None:
        """Resets the measurements, for example after compilation."""
        self._steps, self._waited, self._since = 0, 0.0, time.monotonic()

    def tick(self, steps: int = 1) -> None:
        """Counts steps."""
        self._steps += steps

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Counts the time of the block as waiting for input."""
        began = time.monotonic()
        yield
        self._waited += time.monotonic() - began

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Excludes the time of the block."""
        began = time.monotonic()
        yield
        self._since += time.monotonic() - began

    def read(self) -> dict[str, float]:
        """Computes images/s and the fraction of time waiting for input, and resets."""
        elapsed = max(time.monotonic() - self._since, 1e-9)
        steps, waited = max(self._steps, 1), self._waited
        self._seconds_per_step = elapsed / steps
        self.restart()
        return {
            "time/images_per_second": steps * self._batch_size / elapsed,
            "time/waiting_for_input": waited / elapsed,
        }

    def remaining(self, steps: int) -> str:
        """Estimates the time for a number of steps, as text."""
        return format_duration(steps * self._seconds_per_step)


def format_duration(seconds: float) -> str:
    """Formats a duration, such as `2 h 05 min`."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {seconds:02d} s"
