"""Waiting for what other processes and threads do, however busy the machine is."""

import time
from collections.abc import Callable

# Seconds; less than what a test may take (`.pytest.ini`), so that it can say why.
PATIENCE = 240


def until(
    happened: Callable[[], object],
    what: str,
    *,
    ended: Callable[[], object] = lambda: False,
) -> None:
    """Returns as soon as `happened()`; fails, naming `what`, where it never does.

    `ended()` says that it cannot happen any more, as when a process is gone.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        # Asked first: what happened at the very end has happened.
        over = ended() or time.monotonic() > deadline
        if happened():
            return
        if over:
            raise AssertionError(f"waited in vain for {what}")
        time.sleep(0.01)
