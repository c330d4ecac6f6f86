"""SIGTERM and Ctrl-C as a flag that a loop checks between steps."""

import signal
import threading


class Interruption:
    """Context manager that records a signal in `signal` instead of ending the process.

    A second signal of the same kind is handled as before, and so ends the process.
    """

    def __init__(self):
        self.signal: signal.Signals | None = None
        self._before = {}

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number, frame) -> None:
        self.signal = signal.Signals(number)
        # A second Ctrl-C ends the process at once.
        signal.signal(number, self._before[number])
