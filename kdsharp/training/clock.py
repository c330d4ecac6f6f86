"""Where the time of a run goes: steps, and waiting for input."""

import contextlib
import time
from collections.abc import Iterator


class Clock:
    """Measures steps since the last `read`; what happens in `paused` does not count."""

    def __init__(self, batch_size: int):
        self._batch_size = batch_size
        self._seconds_per_step = 0.0
        self.restart()

    def restart(self) -> None:
        """Forgets what was measured, as after the compilation."""
        self._steps, self._waited, self._since = 0, 0.0, time.monotonic()

    def tick(self, steps: int = 1) -> None:
        """Counts steps."""
        self._steps += steps

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Counts the time inside as waiting for input."""
        began = time.monotonic()
        yield
        self._waited += time.monotonic() - began

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Leaves the time inside out."""
        began = time.monotonic()
        yield
        self._since += time.monotonic() - began

    def read(self) -> dict[str, float]:
        """Images per second, and the fraction of time spent waiting for input."""
        elapsed = max(time.monotonic() - self._since, 1e-9)
        steps, waited = max(self._steps, 1), self._waited
        self._seconds_per_step = elapsed / steps
        self.restart()
        return {
            "time/images_per_second": steps * self._batch_size / elapsed,
            "time/waiting_for_input": waited / elapsed,
        }

    def left(self, steps: int) -> str:
        """An estimate of the time for that many steps, for people."""
        return words(steps * self._seconds_per_step)


def words(seconds: float) -> str:
    """Format a duration for people."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {seconds:02d} s"
