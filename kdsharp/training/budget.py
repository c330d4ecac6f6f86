"""The time budget of a run."""

import math
import re
import time

from kdsharp.errors import UserError
from kdsharp.training import hosts

_UNITS = {"h": 3600, "m": 60, "s": 1}
_TIME = re.compile(r"(?=.)" + "".join(rf"(?:(\d+(?:\.\d+)?){u})?" for u in _UNITS))


class Budget:
    """Measures the time that a run trains, evaluates and saves, against a limit.

    Time counts from `start`, so that compilation is excluded, and includes the time
    before a resume. `spec` is such as `20m`; an empty one sets no limit.
    """

    def __init__(self, spec: str):
        self._allowed = parse(spec) if spec else math.inf
        self._previous = 0.0
        self._started: float | None = None
        self._used = 0.0

    @property
    def limited(self) -> bool:
        """Whether the run ends by time instead of a number of steps."""
        return self._allowed < math.inf

    def start(self) -> None:
        """Starts counting, unless it has started."""
        self._started = self._started or time.monotonic()

    def resume(self, seconds: float) -> None:
        """Adds the seconds used before the run was interrupted."""
        self._previous = self._used = seconds

    def update(self) -> None:
        """Reads the clock, that of the primary host if there are several."""
        if self.limited:
            self._used = hosts.on_primary_host(lambda: self.used)

    @property
    def used(self) -> float:
        """Seconds used up to now."""
        since = self._started and time.monotonic() - self._started
        return self._previous + (since or 0.0)

    @property
    def fraction(self) -> float:
        """The fraction used at the last `update`, from 0 to 1."""
        return min(self._used / self._allowed, 1.0)

    @property
    def exhausted(self) -> bool:
        return self._used >= self._allowed

    @property
    def remaining(self) -> float:
        """Seconds remaining at the last `update`."""
        return max(self._allowed - self._used, 0.0)


def parse(spec: str) -> float:
    """Parses `90s`, `20m`, `1h` or `1h30m` into seconds."""
    match = _TIME.fullmatch(str(spec))
    parts = [float(part or 0) for part in match.groups()] if match else [0.0]
    seconds = sum(
        part * unit for part, unit in zip(parts, _UNITS.values(), strict=False)
    )
    if not seconds > 0:
        raise UserError(
            f"config.budget {spec!r} is not a duration; write 90s, 20m or 1h"
        )
    return seconds
