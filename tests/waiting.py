"""Waits for conditions in other processes and threads, however busy the machine is."""

import os
import signal
import time
from collections.abc import Callable

# In seconds, less than the timeout of a test (`.pytest.ini`), for a better message.
PATIENCE = 240


def until(
    happened: Callable[[], object],
    what: str,
    *,
    ended: Callable[[], object] = lambda: False,
) -> None:
    """Waits until `happened()`; on timeout, fails with a message that names `what`.

    If `ended()` is true, the condition cannot become true any more, and it fails at
    once.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        # Evaluated first, since `happened()` may become true just before the end.
        over = ended() or time.monotonic() > deadline
        if happened():
            return
        if over:
            raise AssertionError(f"waited in vain for {what}")
        time.sleep(0.01)


def interrupt() -> None:
    """Sends SIGTERM to this process, and waits until the program has handled it."""
    before = signal.getsignal(signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)
    # The first signal gives the handler back.
    until(
        lambda: signal.getsignal(signal.SIGTERM) != before, "the signal to be handled"
    )
