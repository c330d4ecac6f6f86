"""A reference implementation of MS-SSIM on top of scikit-image."""

import numpy as np
import skimage.measure
import skimage.metrics

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)

# With this K1 the luminance term is always 1, which leaves the contrast term.
_NO_LUMINANCE = 1e6


def ms_ssim(a: np.ndarray, b: np.ndarray, scales: int = 5) -> float:
    """MS-SSIM of two pictures `[h, w, c]`, the mean over channels, in float64."""
    pair = np.asarray(a, np.float64), np.asarray(b, np.float64)
    channels = range(pair[0].shape[-1])
    return float(
        np.mean([_of_channel(*(x[..., i] for x in pair), scales) for i in channels])
    )


def _of_channel(a: np.ndarray, b: np.ndarray, scales: int) -> float:
    weights = np.array(WEIGHTS[:scales]) / sum(WEIGHTS[:scales])
    score = 1.0
    for scale, weight in enumerate(weights, start=1):
        options = {"K1": _NO_LUMINANCE} if scale < scales else {}
        similarity = skimage.metrics.structural_similarity(
            a,
            b,
            data_range=1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            **options,
        )
        score *= max(similarity, 0) ** weight
        a, b = _halve(a), _halve(b)
    return score


def _halve(x: np.ndarray) -> np.ndarray:
    """2x2 average pooling; odd axes are zero-padded at both ends."""
    x = np.pad(x, [(size % 2, size % 2) for size in x.shape])
    even = x[: x.shape[0] // 2 * 2, : x.shape[1] // 2 * 2]
    return skimage.measure.block_reduce(even, 2, np.mean)
