"""Times contenders in turns."""

import contextlib
import dataclasses
import math
from collections.abc import Mapping

import numpy as np

from kdsharp.evaluation.bench import peak, turns
from kdsharp.evaluation.bench.backends import Settings
from kdsharp.evaluation.bench.worker import Contender, Worker, WorkerLost

_MIN_ROUNDS = 5
_PEAK = "peak"


@dataclasses.dataclass(frozen=True)
class Timed:
    """Seconds of each turn after warm-up, seconds to the first frame, and peak MB."""

    seconds: list[float]
    first: float
    memory: float


def measure(
    contenders: Mapping[str, Contender], *, frames: int, seconds: float
) -> tuple[dict[str, Timed], dict[str, str], float]:
    """Times all contenders; returns times, reasons for failures, and peak GFLOP/s.

    All have the same number of turns: `frames`, or fewer (at least five) if the slowest
    would take longer than `seconds`.
    """
    lost: dict[str, str] = {}
    workers: dict[str, Worker] = {}
    with contextlib.ExitStack() as stack:
        for name, contender in {**contenders, _PEAK: _peak_of(contenders)}.items():
            try:
                # Started one by one, so that they do not slow each other down.
                workers[name] = stack.enter_context(
                    contextlib.closing(Worker(contender))
                )
            except WorkerLost as reason:
                lost[name] = str(reason)
        takes = {name: _turn(name, worker, lost) for name, worker in workers.items()}
        slowest = max((take() for take in takes.values()), default=math.nan)
        affordable = int(seconds / slowest) if slowest > 0 else 0
        rounds = min(frames, max(affordable, _MIN_ROUNDS))
        measured = turns.alternate(takes, rounds)
        timed = {
            name: Timed(times, workers[name].first, workers[name].memory())
            for name, times in measured.items()
            if name not in lost
        }
    best = min(timed.pop(_PEAK).seconds) if _PEAK in timed else math.nan
    return timed, lost, peak.OPERATIONS / best / 1e9


def _peak_of(contenders: Mapping[str, Contender]) -> Contender:
    threads = next(iter(contenders.values())).settings.threads
    return Contender(_PEAK, None, Settings(threads), 0, 0, 0)


def _turn(name: str, worker: Worker, lost: dict[str, str]) -> turns.Turn:
    def turn() -> float:
        if name not in lost:
            try:
                return worker.turn()
            except WorkerLost as reason:
                lost[name] = str(reason)
        return np.nan

    return turn
