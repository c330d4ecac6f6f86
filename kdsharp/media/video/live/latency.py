"""Latency of frames."""

import collections
import math
import threading

import numpy as np

# Statistics cover this many of the latest frames.
_MEMORY = 1000


class Latency:
    """Seconds from the arrival of a frame to its output."""

    def __init__(self):
        self._lock = threading.Lock()
        self._arrived: dict[int, float] = {}
        self._latest = collections.deque(maxlen=_MEMORY)
        self.most = 0.0

    def arrived(self, key: int, moment: float) -> None:
        """Records the arrival of a frame."""
        with self._lock:
            self._arrived[key] = moment
            while len(self._arrived) > _MEMORY:
                self._arrived.pop(next(iter(self._arrived)))

    def left(self, key: int, moment: float) -> None:
        """Records the output of a frame."""
        with self._lock:
            if (arrived := self._arrived.pop(key, None)) is not None:
                self._latest.append(moment - arrived)
                self.most = max(self.most, moment - arrived)

    @property
    def median(self) -> float:
        """The median of the latest frames."""
        return self.percentile(50)

    def percentile(self, share: float) -> float:
        """A percentile of the latest frames; NaN if there are none."""
        with self._lock:
            latest = list(self._latest)
        return float(np.percentile(latest, share)) if latest else math.nan

    def __str__(self) -> str:
        if math.isnan(self.median):
            return "latency unknown"
        return (
            f"latency {1000 * self.median:.0f} ms ({1000 * self.percentile(95):.0f} "
            f"for 95 in 100, {1000 * self.most:.0f} at most)"
        )
