"""How long frames were on their way."""

import collections
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

    def __str__(self) -> str:
        with self._lock:
            if not self._latest:
                return "latency unknown"
            half, nearly = 1000 * np.percentile(self._latest, [50, 95])
        return (
            f"latency {half:.0f} ms ({nearly:.0f} for 95 in 100, "
            f"{1000 * self.most:.0f} at most)"
        )
