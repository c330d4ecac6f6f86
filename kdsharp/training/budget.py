"""How long a run has trained, and how long it may."""

import math
import re
import time

from kdsharp.errors import UserError
from kdsharp.training import hosts

_UNITS = {"h": 3600, "m": 60, "s": 1}
_TIME = re.compile(r"(?=.)" + "".join(rf"(?:(\d+(?:\.\d+)?){u})?" for u in _UNITS))


class Budget:
    """Seconds that a run trains, evaluates and saves, of those that `spec` allows.

    They are counted from `begin`, so that compiling costs nothing of it, on all from
    the processes before that were resumed. An empty spec allows any number.
    """

    def __init__(self, spec: str):
        self._allowed = parse(spec) if spec else math.inf
        self._before = 0.0
        self._began: float | None = None
        self._used = 0.0

    @property
    def limits(self) -> bool:
        """Whether time ends the run, not the number of steps."""
        return self._allowed < math.inf

    def begin(self) -> None:
        """Starts to count, unless it has."""
        self._began = self._began or time.monotonic()

    def resume(self, seconds: float) -> None:
        """Goes on from what `used` said."""
        self._before = self._used = seconds

    def look(self) -> None:
        """Looks at the clock; of several hosts, at that of the first."""
        if self.limits:
            self._used = hosts.on_primary_host(lambda: self.used)

    @property
    def used(self) -> float:
        """The seconds used up to now."""
        since = self._began and time.monotonic() - self._began
        return self._before + (since or 0.0)

    @property
    def share(self) -> float:
        """The fraction that was used at the last `look`, from 0 to 1."""
        return min(self._used / self._allowed, 1.0)

    @property
    def over(self) -> bool:
        return self._used >= self._allowed

    @property
    def left(self) -> float:
        """The seconds that were left at the last `look`."""
        return max(self._allowed - self._used, 0.0)


def parse(spec: str) -> float:
    """Parses `90s`, `20m`, `1h` or `1h30m` into seconds."""
    match = _TIME.fullmatch(str(spec))
    parts = [float(part or 0) for part in match.groups()] if match else [0.0]
    seconds = sum(
        part * unit for part, unit in zip(parts, _UNITS.values(), strict=False)
    )
    if not seconds > 0:
        raise UserError(f"config.budget {spec!r} is no time; write 90s, 20m or 1h")
    return seconds
