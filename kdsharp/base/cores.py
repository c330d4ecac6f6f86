"""The processor cores that this process may use."""

import os


def available() -> list[int]:
    """Their numbers: those it is limited to where the system tells, else all."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def count() -> int:
    """How many they are, at least 1."""
    return len(available())
