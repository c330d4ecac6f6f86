"""Timing by turns: all contenders run alternately, many times.

Drifting clock rates and other load then affect all contenders alike, so that ratios are
reliable even where milliseconds are not.
"""

import time
from collections.abc import Callable, Mapping

import jax

Turn = Callable[[], float]
"""Does some work and returns a measurement, such as its seconds."""


def timed(work: Callable[[], object]) -> Turn:
    """Creates a turn that runs `work`, waits for its result, and returns the time."""

    def turn() -> float:
        began = time.perf_counter()
        jax.block_until_ready(work())
        return time.perf_counter() - began

    return turn


def alternate(turns: Mapping[str, Turn], rounds: int) -> dict[str, list[float]]:
    """Runs all turns in rounds, after a warm-up; returns the measurements of each."""
    for turn in turns.values():
        turn()
    measured: dict[str, list[float]] = {name: [] for name in turns}
    for _ in range(rounds):
        for name, turn in turns.items():
            measured[name].append(turn())
    return measured
