"""The clock of every comparison of speed: all contenders take turns, many times.

A machine whose speed drifts, or that others use, then slows all of them alike, and
ratios hold where the milliseconds do not.
"""

import time
from collections.abc import Callable, Mapping

import jax

Turn = Callable[[], float]
"""Does some work and returns what it measured, seconds for one."""


def timed(work: Callable[[], object]) -> Turn:
    """Returns a turn that does the work, waits for its end and tells its seconds."""

    def turn() -> float:
        began = time.perf_counter()
        jax.block_until_ready(work())
        return time.perf_counter() - began

    return turn


def alternate(turns: Mapping[str, Turn], rounds: int) -> dict[str, list[float]]:
    """Returns what each measured, round by round, after one that does not count."""
    for turn in turns.values():
        turn()
    measured: dict[str, list[float]] = {name: [] for name in turns}
    for _ in range(rounds):
        for name, turn in turns.items():
            measured[name].append(turn())
    return measured
