"""The CPU cores that this process may use."""

import os


def available() -> list[int]:
    """Core numbers from the process's CPU affinity; all cores where it has none."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def count() -> int:
    """The number of available cores, at least 1."""
    return len(available())
