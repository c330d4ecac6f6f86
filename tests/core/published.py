"""Multi-scale structural similarity, put together from parts of scikit-image."""

import numpy as np
import skimage.measure
import skimage.metrics

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)

# As K1 it makes the luminance of any two windows the same: contrast is left.
_BLIND = 1e6


def ms_ssim(a: np.ndarray, b: np.ndarray, scales: int = 5) -> float:
    """Returns the mean over channels of `[h, w, c]`, in float64."""
    pair = np.asarray(a, np.float64), np.asarray(b, np.float64)
    channels = range(pair[0].shape[-1])
    return float(
        np.mean([_of_channel(*(x[..., i] for x in pair), scales) for i in channels])
    )


def _of_channel(a: np.ndarray, b: np.ndarray, scales: int) -> float:
    weights = np.array(WEIGHTS[:scales]) / sum(WEIGHTS[:scales])
    score = 1.0
    for scale, weight in enumerate(weights, start=1):
        blind = {"K1": _BLIND} if scale < scales else {}
        similarity = skimage.metrics.structural_similarity(
            a,
            b,
            data_range=1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            **blind,
        )
        score *= max(similarity, 0) ** weight
        a, b = _halve(a), _halve(b)
    return score


def _halve(x: np.ndarray) -> np.ndarray:
    """Returns means of two by two; of an odd axis, zeros lie beyond both ends."""
    x = np.pad(x, [(size % 2, size % 2) for size in x.shape])
    even = x[: x.shape[0] // 2 * 2, : x.shape[1] // 2 * 2]
    return skimage.measure.block_reduce(even, 2, np.mean)
