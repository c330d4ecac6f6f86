"""Encoders that take more of the machine than they were given."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_THREADS = Path("/proc/self/task")


@contextmanager
def kept() -> Iterator[None]:
    """Gives this thread, and those that begin within, the priority that it had.

    SVT-AV1 run by the superuser gives itself, and who calls it, real-time priority
    before everything else on the machine, which programs started later inherit.
    """
    if not hasattr(os, "sched_getscheduler") or not _THREADS.is_dir():
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    before = _running()
    try:
        yield
    finally:
        for thread in {threading.get_native_id(), *(_running() - before)}:
            try:
                if os.sched_getscheduler(thread) != policy:
                    os.sched_setscheduler(thread, policy, parameters)
            except ProcessLookupError:
                # It has ended meanwhile.
                continue


def _running() -> set[int]:
    return {int(path.name) for path in _THREADS.iterdir()}
