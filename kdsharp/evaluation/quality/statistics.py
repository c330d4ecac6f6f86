"""How sure a mean over pictures is, and who is best how often."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import scipy.stats

_RESAMPLES = 10_000
_AT_ONCE = 10_000_000


Numbers = Sequence[float] | np.ndarray


class Mean(NamedTuple):
    """A mean and its 95 % bootstrap interval, which takes two pictures at least."""

    mean: float
    low: float | None = None
    high: float | None = None


def mean(values: Numbers) -> Mean:
    """Returns the mean over pictures."""
    return _of(lambda x, axis: np.mean(x, axis), values)


def ratio(above: Numbers, below: Numbers) -> Mean:
    """Returns the ratio of two means over the same pictures."""
    return _of(lambda x, y, axis: np.mean(x, axis) / np.mean(y, axis), above, below)


def _of(statistic, *values: Numbers) -> Mean:
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
        batch=max(1, _AT_ONCE // len(arrays[0])),
        rng=np.random.default_rng(0),
    ).confidence_interval
    return Mean(middle, float(interval.low), float(interval.high))


def wins(values: Mapping[str, Sequence[float]]) -> dict[str, int]:
    """Returns on how many pictures each is above all others; a draw is nobody's."""
    names = list(values)
    table = np.array([values[name] for name in names])
    best = table == table.max(0)
    alone = best & (best.sum(0) == 1)
    return dict(zip(names, (int(n) for n in alone.sum(1)), strict=True))
