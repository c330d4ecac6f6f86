"""Raters that are left out, after ITU-R BT.500: they are too often far from all."""

import numpy as np
from jaxtyping import Float

_PART = 0.05
_ONE_SIDED = 0.3


def rejected(scores: Float[np.ndarray, "raters stimuli"]) -> list[int]:
    """Returns the rows of raters to leave out; what was not answered is NaN.

    A score is far if it is 2 standard deviations from its mean, or the root of 20 where
    kurtosis tells that scores are not normal. A rater is left out whose scores are far
    more often than 1 in 20, and about as often above as below.
    """
    answered = ~np.isnan(scores)
    count = answered.sum(0)
    mean = np.nanmean(scores, 0)
    apart = scores - mean
    squares = np.nanmean(apart**2, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        kurtosis = np.nanmean(apart**4, 0) / squares**2
        deviation = np.sqrt(squares * count / (count - 1))
    normal = (kurtosis >= 2) & (kurtosis <= 4)
    far = np.where(normal, 2, np.sqrt(20)) * deviation
    # Where all agree, nobody is far.
    far = np.where(deviation > 0, far, np.inf)
    above = (answered & (apart >= far)).sum(1)
    below = (answered & (apart <= -far)).sum(1)
    both = above + below
    often = both > _PART * answered.sum(1)
    either = np.abs(above - below) < _ONE_SIDED * np.maximum(both, 1)
    return np.flatnonzero(often & either).tolist()
