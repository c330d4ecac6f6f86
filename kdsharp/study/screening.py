"""Rejects inconsistent raters after ITU-R BT.500."""

import numpy as np
from jaxtyping import Float

_PART = 0.05
_ONE_SIDED = 0.3


def rejected(scores: Float[np.ndarray, "raters stimuli"]) -> list[int]:
    """The rows of raters to reject; missing ratings are NaN.

    A score is an outlier if it is 2 standard deviations from the mean of its picture,
    or the root of 20 if the kurtosis indicates that scores are not normally
    distributed. A rater is rejected if more than 1 in 20 scores are outliers, about as
    many above as below the mean.
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
    # If all raters agree, there are no outliers.
    far = np.where(deviation > 0, far, np.inf)
    above = (answered & (apart >= far)).sum(1)
    below = (answered & (apart <= -far)).sum(1)
    both = above + below
    often = both > _PART * answered.sum(1)
    either = np.abs(above - below) < _ONE_SIDED * np.maximum(both, 1)
    return np.flatnonzero(often & either).tolist()
