"""How long frames were on their way."""

import collections
import math
import threading

import numpy as np

# So many of the latest are remembered, whatever the whole comes to.
_MEMORY = 1000


class Latency:
    """Times from when a frame came in to when it went out, in seconds."""

    def __init__(self):
        self._lock = threading.Lock()
        self._arrived: dict[int, float] = {}
        self._latest = collections.deque(maxlen=_MEMORY)
        self.most = 0.0

    def came(self, key: int, moment: float) -> None:
        """Notes when the frame of that key came in."""
        with self._lock:
            self._arrived[key] = moment
            while len(self._arrived) > _MEMORY:
                self._arrived.pop(next(iter(self._arrived)))

    def went(self, key: int, moment: float) -> None:
        """Notes when it went out."""
        with self._lock:
            if (arrived := self._arrived.pop(key, None)) is not None:
                self._latest.append(moment - arrived)
                self.most = max(self.most, moment - arrived)

    @property
    def median(self) -> float:
        """Half of the latest took no longer."""
        return self.percentile(50)

    def percentile(self, share: float) -> float:
        """So many in a hundred of the latest took no longer; not a number for none."""
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
