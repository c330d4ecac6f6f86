"""Means over pictures with bootstrap intervals, and counts of wins."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import scipy.stats

_RESAMPLES = 10_000
_MAX_BATCH = 10_000_000


Numbers = Sequence[float] | np.ndarray


class Mean(NamedTuple):
    """A mean and its 95 % bootstrap interval, which needs at least two pictures."""

    mean: float
    low: float | None = None
    high: float | None = None


def mean(values: Numbers) -> Mean:
    """The mean over pictures."""
    return _bootstrap(lambda x, axis: np.mean(x, axis), values)


def ratio(above: Numbers, below: Numbers) -> Mean:
    """The ratio of two means over the same pictures."""
    return _bootstrap(
        lambda x, y, axis: np.mean(x, axis) / np.mean(y, axis), above, below
    )


def _bootstrap(statistic, *values: Numbers) -> Mean:
    arrays = [np.asarray(v, float) for v in values]
    middle = float(statistic(*arrays, axis=-1))
    if len(arrays[0]) < 2 or not np.isfinite(arrays).all():
        return Mean(middle)
    interval = scipy.stats.bootstrap(
        arrays,
        statistic,
        paired=True,
        vectorized=True,
        method="percentile",
        n_resamples=_RESAMPLES,
        batch=max(1, _MAX_BATCH // len(arrays[0])),
        rng=np.random.default_rng(0),
    ).confidence_interval
    return Mean(middle, float(interval.low), float(interval.high))


def wins(values: Mapping[str, Sequence[float]]) -> dict[str, int]:
    """Counts the pictures on which each is above all others; ties count for none."""
    names = list(values)
    table = np.array([values[name] for name in names])
    best = table == table.max(0)
    alone = best & (best.sum(0) == 1)
    return dict(zip(names, (int(n) for n in alone.sum(1)), strict=True))
