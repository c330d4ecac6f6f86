"""SSIM (Wang et al., 2004) and MS-SSIM (2003), usable as training losses.

Nothing is clipped, and gradients are finite everywhere, even for flat and for identical
pictures. Windows lie inside the picture. Both functions return one number per picture,
the mean over its channels.

Windows are matrix products along each axis: on a CPU, forward and backward, 10 to 30
times as fast as depthwise convolutions and 3 to 8 times as fast as sums of shifted
pictures.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from kdsharp.base import choices
from kdsharp.errors import UserError

# The stabilising constants of SSIM, for a data range of 1.
_C1, _C2 = 0.01**2, 0.03**2

# Of the range of pixels.
_MIDDLE = 0.5

_SIGMA, _RADIUS = 1.5, 5
_UNIFORM_SIZE = 7

# Exponents of the scales, finest first (Wang, Simoncelli and Bovik, 2003).
_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)

SCALES = len(_SCALE_WEIGHTS)

# Powers below one have an infinite slope at zero: smaller bases count as zero.
_MIN_BASE = 1e-6

# Long axes are filtered in tiles, since the matrix of a whole axis is mostly zeros.
_TILE = 64

Pictures = Float[Array, "b h w c"]


def ssim(a: Pictures, b: Pictures, *, window: str = "gaussian") -> Float[Array, " b"]:
    """Structural similarity (SSIM).

    `window` is `gaussian`, the published 11x11 with sigma 1.5, or `uniform`, the
    default of scikit-image, 7x7 with sample covariances.
    """
    luminance, contrast = _compare(a, b, window)
    return jnp.mean(luminance * contrast, axis=(1, 2, 3))


def ms_ssim(a: Pictures, b: Pictures, *, scales: int = SCALES) -> Float[Array, " b"]:
    """Multi-scale structural similarity (MS-SSIM).

    With fewer than five scales (see `scales_for`) the remaining weights are rescaled to
    sum to one; such scores are not comparable with published ones.
    """
    fitting = scales_for(*a.shape[1:3])
    if not 1 <= scales <= fitting:
        raise UserError(
            f"MS-SSIM of {scales} scales does not fit pictures of {a.shape[2]}x"
            f"{a.shape[1]} pixels: "
            + (
                f"the shorter side has to be {_least_side(scales)}"
                if 1 <= scales <= SCALES
                else f"there are from 1 to {SCALES}"
            )
        )
    a, b = _as_float(a), _as_float(b)
    weights = np.array(_SCALE_WEIGHTS[:scales]) / sum(_SCALE_WEIGHTS[:scales])
    score = 1.0
    for scale, weight in enumerate(weights, start=1):
        luminance, contrast = _compare(a, b, "gaussian")
        if scale == scales:
            contrast = luminance * contrast
        else:
            a, b = _halve(a), _halve(b)
        score *= _power(jnp.mean(contrast, axis=(1, 2)), float(weight))
    return jnp.mean(score, axis=-1)


def scales_for(height: int, width: int) -> int:
    """The number of scales of `ms_ssim` that fit pictures of this size."""
    side = min(height, width)
    return sum(side >= _least_side(n) for n in range(1, SCALES + 1))


def _least_side(scales: int) -> int:
    # Odd sides are rounded up when halved.
    return 2 * _RADIUS * 2 ** (scales - 1) + 1


def _compare(a: Pictures, b: Pictures, window: str) -> tuple[Array, Array]:
    """Luminance and contrast-structure terms of SSIM, for every window."""
    if window not in _WINDOWS:
        raise choices.unknown("SSIM window", window, _WINDOWS)
    taps, covariance_scale = _WINDOWS[window]
    if min(a.shape[1:3]) < len(taps):
        raise UserError(
            f"SSIM needs pictures of {len(taps)}x{len(taps)} pixels or more; these are "
            f"{a.shape[2]}x{a.shape[1]}"
        )
    # Smaller numbers leave variances, which are differences, more accurate.
    a, b = _as_float(a) - _MIDDLE, _as_float(b) - _MIDDLE
    mean_a, mean_b = _filter(a, taps), _filter(b, taps)
    covariance = covariance_scale * (_filter(a * b, taps) - mean_a * mean_b)
    squares = mean_a**2 + mean_b**2
    variances = covariance_scale * (_filter(a**2 + b**2, taps) - squares)
    mean_a, mean_b = mean_a + _MIDDLE, mean_b + _MIDDLE
    luminance = (2 * mean_a * mean_b + _C1) / (mean_a**2 + mean_b**2 + _C1)
    contrast = (2 * covariance + _C2) / (variances + _C2)
    return luminance, contrast


def _as_float(x: Array) -> Array:
    # Variances are differences of nearly equal numbers, too fine for bfloat16.
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def _gaussian() -> np.ndarray:
    at = np.arange(-_RADIUS, _RADIUS + 1)
    weights = np.exp(-(at**2) / (2 * _SIGMA**2))
    return weights / weights.sum()


# Weights along an axis, and the factor from population to sample covariance.
_WINDOWS = {
    "gaussian": (_gaussian(), 1.0),
    "uniform": (
        np.full(_UNIFORM_SIZE, 1 / _UNIFORM_SIZE),
        _UNIFORM_SIZE**2 / (_UNIFORM_SIZE**2 - 1),
    ),
}


def _filter(x: Pictures, taps: np.ndarray) -> Pictures:
    """Weighted means over every window inside the picture."""
    return _filter_axis(_filter_axis(x, 1, taps), 2, taps)


def _filter_axis(x: Array, axis: int, taps: np.ndarray) -> Array:
    have = x.shape[axis]
    want = have - len(taps) + 1
    if have <= 2 * _TILE:
        return _product(_band(taps, want, have), x, axis)
    # A tile of results needs the pixels of two tiles: its own and the next.
    count = -(-want // _TILE)
    x = jnp.pad(
        x, [(0, (count + 1) * _TILE - have if i == axis else 0) for i in range(4)]
    )
    tiles = x.reshape(*x.shape[:axis], count + 1, _TILE, *x.shape[axis + 1 :])
    own, following = (
        jnp.take(tiles, start + np.arange(count), axis) for start in (0, 1)
    )
    band = _band(taps, _TILE, 2 * _TILE)
    means = _product(band[:, :_TILE], own, axis + 1)
    means += _product(band[:, _TILE:], following, axis + 1)
    means = means.reshape(*x.shape[:axis], count * _TILE, *x.shape[axis + 1 :])
    return jnp.take(means, np.arange(want), axis)


def _band(taps: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """The matrix whose row i holds the taps, starting at column i."""
    at = np.arange(columns) - np.arange(rows)[:, None]
    inside = (at >= 0) & (at < len(taps))
    return np.where(inside, taps[np.clip(at, 0, len(taps) - 1)], 0).astype(np.float32)


def _product(matrix: np.ndarray, x: Array, axis: int) -> Array:
    letters = "abcdefg"[: x.ndim]
    result = letters.replace(letters[axis], "z")
    # The default precision on some accelerators is too low for variances.
    return jnp.einsum(
        f"z{letters[axis]},{letters}->{result}", matrix, x, precision="highest"
    )


def _halve(x: Pictures) -> Pictures:
    """2x2 average pooling, as in PyTorch: odd sides are zero-padded first."""
    x = jnp.pad(x, [(0, 0), (x.shape[1] % 2, 0), (x.shape[2] % 2, 0), (0, 0)])
    b, h, w, c = x.shape
    return x.reshape(b, h // 2, 2, w // 2, 2, c).mean(axis=(2, 4))


def _power(base: Array, exponent: float) -> Array:
    """`max(base, 0) ** exponent` with a finite gradient everywhere."""
    positive = base > _MIN_BASE
    return jnp.where(positive, jnp.where(positive, base, 1) ** exponent, 0)
