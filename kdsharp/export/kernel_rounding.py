"""Rounds kernels to integers so that their rounding errors cancel in the output.

Weights are rounded one after the other, and those that follow make up for the error of
each as far as their inputs go together: neighbouring pixels do. After Frantar et al.,
"GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers",
ICLR 2023. The bias, which is not rounded, comes last.
"""

import numpy as np
from jaxtyping import Float

from kdsharp.export import quantization
from kdsharp.export.quantization import Convolution, RoundedKernel

Moments = Float[np.ndarray, "terms terms"]
"""Mean products of the terms that a filter adds up: its inputs, and 1 for its bias."""

# About how many windows of a picture are enough.
_WINDOWS = 2500
# Added to the diagonal of the moments, as a part of its mean.
_DAMPING = 1e-4


def moments(
    convolution: Convolution, inputs: Float[np.ndarray, "1 inputs height width"]
) -> Moments:
    """Computes the moments of a picture's windows on a regular grid."""
    size, apart = convolution.kernel.shape[-1], convolution.dilation
    extent = apart * (size - 1) + 1
    ends = (0, 0), (0, 0), (extent // 2,) * 2, (extent // 2,) * 2
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(inputs, ends), (extent, extent), axis=(2, 3)
    )
    every = max(1, round((inputs.shape[2] * inputs.shape[3] / _WINDOWS) ** 0.5))
    windows = windows[0, :, ::every, ::every, ::apart, ::apart]
    terms = windows.transpose(1, 2, 0, 3, 4).reshape(-1, inputs.shape[1] * size**2)
    terms = np.concatenate([terms, np.ones((len(terms), 1), terms.dtype)], axis=1)
    return (terms.T @ terms).astype(np.float64) / len(terms)


def round_kernel(convolution: Convolution, known: Moments) -> RoundedKernel:
    """Rounds a kernel that reads inputs with these moments."""
    kernel, bias = convolution.kernel, convolution.bias
    steps = np.abs(kernel).max((1, 2, 3)) / quantization.LARGEST
    # Any step will do for a filter of zeros.
    steps = np.where(steps > 0, steps, 1).astype(np.float32)
    if convolution.group > 1:
        # The few inputs of a group can make up for little.
        whole = np.round(kernel / steps[:, None, None, None])
        return RoundedKernel(whole.astype(np.int8), steps, bias)
    # In steps, with the bias as the last weight.
    weights = np.concatenate([kernel.reshape(len(kernel), -1), bias[:, None]], axis=1)
    weights = weights.astype(np.float64) / steps[:, None]
    order = _order(known)
    shares = _shares(known[np.ix_(order, order)])
    weights = weights[:, order]
    largest = quantization.LARGEST
    for n, share in enumerate(shares[:-1]):
        rest = weights[:, n:]
        error = rest[:, 0] - np.clip(np.round(rest[:, 0]), -largest, largest)
        # The first of the rest becomes whole: its share of its own error is 1.
        rest -= error[:, None] * share[n:]
    found = np.empty_like(weights)
    found[:, order] = weights
    whole = np.round(found[:, :-1]).reshape(kernel.shape).astype(np.int8)
    return RoundedKernel(whole, steps, (found[:, -1] * steps).astype(np.float32))


def _order(known: Moments) -> np.ndarray:
    """Terms from the strongest to the weakest, which make up for the others best."""
    return np.append(np.argsort(-np.diag(known)[:-1]), len(known) - 1)


def _shares(known: Moments) -> Float[np.ndarray, "terms terms"]:
    """How much of the error of each term is subtracted from it and those after it."""
    damped = known + _DAMPING * np.mean(np.diag(known)) * np.eye(len(known))
    factor = np.linalg.cholesky(np.linalg.inv(damped)).T
    return factor / np.diag(factor)[:, None]
