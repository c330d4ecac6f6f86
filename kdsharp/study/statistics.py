"""Means and significance of opinion scores; each rater is one observation."""

import itertools
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import scipy.stats
from jaxtyping import Float


class RaterMean(NamedTuple):
    """A mean and its 95 % confidence interval, by Student's t over raters."""

    mean: float
    low: float
    high: float
    raters: int


class ComparedModels(NamedTuple):
    """Two models, the difference of their means, and its p-value after Holm."""

    first: str
    second: str
    difference: float
    p: float


def mean(of_raters: Float[np.ndarray, " raters"]) -> RaterMean:
    """The mean over raters of each rater's average; NaN means no ratings."""
    values = of_raters[~np.isnan(of_raters)]
    count = len(values)
    if not count:
        return RaterMean(np.nan, np.nan, np.nan, 0)
    middle = float(values.mean())
    if count < 2:
        return RaterMean(middle, np.nan, np.nan, count)
    half = float(scipy.stats.t.ppf(0.975, count - 1) * scipy.stats.sem(values))
    return RaterMean(middle, middle - half, middle + half, count)


def pairs(
    of_raters: Mapping[str, Float[np.ndarray, " raters"]],
) -> list[ComparedModels]:
    """Compares all pairs with Wilcoxon's signed-rank test."""
    found, raw = [], []
    for first, second in itertools.combinations(of_raters, 2):
        apart = of_raters[first] - of_raters[second]
        apart = apart[~np.isnan(apart)]
        raw.append(_wilcoxon(apart))
        found.append((first, second, float(apart.mean()) if len(apart) else np.nan))
    return [
        ComparedModels(first, second, apart, p)
        for (first, second, apart), p in zip(found, holm(np.array(raw)), strict=True)
    ]


def _wilcoxon(apart: np.ndarray) -> float:
    if len(apart) < 2 or not apart.any():
        return 1.0
    test: Any = scipy.stats.wilcoxon(apart)
    return float(test.pvalue)


def holm(p: Float[np.ndarray, " n"]) -> list[float]:
    """Adjusts p-values for multiple tests, after Holm."""
    order = np.argsort(p)
    scaled = p[order] * (len(p) - np.arange(len(p)))
    adjusted = np.empty_like(scaled)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return adjusted.tolist()
