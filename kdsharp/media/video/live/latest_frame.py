"""A one-frame mailbox: putting never waits, taking returns the latest frame."""

import threading
from typing import Any


class LatestFrame:
    """Holds the latest frame, and all packets since the last `take`.

    Frames that are replaced before they are taken count as `dropped`. Packets, mostly
    audio, are dropped only beyond `most`.
    """

    def __init__(self, most: int = 2000):
        self._changed = threading.Condition()
        self._frame: Any = None
        self._packets: list = []
        self._most = most
        self._ended = False
        self.dropped = 0

    def put(self, frame: Any) -> None:
        """Replaces the frame."""
        with self._changed:
            self.dropped += self._frame is not None
            self._frame = frame
            self._changed.notify_all()

    def add(self, packet: Any) -> None:
        """Adds a packet."""
        with self._changed:
            self._packets.append(packet)
            del self._packets[: -self._most]
            self._changed.notify_all()

    def end(self) -> None:
        """Marks the end of the stream."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def take(self) -> tuple[list, Any] | None:
        """Waits for data; returns the packets and the frame (or None).

        Returns None at the end of the stream.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._packets or self._frame is not None or self._ended
            )
            packets, frame = self._packets, self._frame
            self._packets, self._frame = [], None
            if not packets and frame is None:
                return None
            return packets, frame
