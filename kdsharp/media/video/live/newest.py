"""A place for one frame: who puts never waits, who takes gets the latest."""

import threading
from typing import Any


class Newest:
    """Holds the latest frame, and every packet since it was last emptied.

    A frame that nobody took before the next came is counted in `dropped`. Packets, of
    sound mostly, are not dropped before there are `most`.
    """

    def __init__(self, most: int = 2000):
        self._changed = threading.Condition()
        self._frame: Any = None
        self._packets: list = []
        self._most = most
        self._ended = False
        self.dropped = 0

    def put(self, frame: Any) -> None:
        """Puts a frame in the place of the one that is there."""
        with self._changed:
            self.dropped += self._frame is not None
            self._frame = frame
            self._changed.notify_all()

    def add(self, packet: Any) -> None:
        """Adds a packet to those that are there."""
        with self._changed:
            self._packets.append(packet)
            del self._packets[: -self._most]
            self._changed.notify_all()

    def end(self) -> None:
        """Says that nothing more comes."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def take(self) -> tuple[list, Any] | None:
        """Returns packets and the frame, or None for it, once there is something.

        At the end that is None.
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
