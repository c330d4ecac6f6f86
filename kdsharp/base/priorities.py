"""Scheduling priorities, protected from video encoders that raise their own."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_THREADS = Path("/proc/self/task")


@contextmanager
def kept() -> Iterator[None]:
    """Restores the scheduling priority of this thread and of threads started within.

    SVT-AV1, when run as root, gives itself and its caller real-time priority, which
    child processes started later inherit.
    """
    if not hasattr(os, "sched_getscheduler") or not _THREADS.is_dir():
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    before = _thread_ids()
    try:
        yield
    finally:
        for thread in {threading.get_native_id(), *(_thread_ids() - before)}:
            try:
                if os.sched_getscheduler(thread) != policy:
                    os.sched_setscheduler(thread, policy, parameters)
            except ProcessLookupError:
                # The thread has ended.
                continue


def _thread_ids() -> set[int]:
    return {int(path.name) for path in _THREADS.iterdir()}
