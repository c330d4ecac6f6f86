"""Blur kernels, one per picture, all of one static size; sum 1, centroid 0.

Angles are in degrees, counter-clockwise from the x axis. Row 0 is the top row.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt32

Kernels = Float[Array, "b k k"]

# A rotated Gaussian thinner than this would fall between the pixels.
_MIN_SIGMA = 0.2
# Scan lines per pixel when integrating the area of a disc.
_LINES_PER_PIXEL = 16
# Correlation time of the hand's velocity, as a fraction of the exposure.
_CORRELATION_TIME = 0.3
# Samples along a path: this minimum, and this many per pixel.
_MIN_POINTS = 64
_POINTS_PER_PIXEL = 4


def gaussian_taps(sigma: Float[Array, " b"], radius: int) -> Float[Array, "b k"]:
    """1-D Gaussian sampled at the pixel centres; sigma 0 is a single pixel."""
    x = jnp.arange(-radius, radius + 1)
    taps = jnp.exp(-0.5 * jnp.square(x / jnp.maximum(sigma, 1e-3)[:, None]))
    return taps / taps.sum(-1, keepdims=True)


def gaussian(
    sigma: Float[Array, " b"],
    across: Float[Array, " b"],
    angle: Float[Array, " b"],
    radius: int,
) -> Kernels:
    """2-D Gaussian with `sigma` along the angle and `across` perpendicular to it."""
    x = jnp.arange(-radius, radius + 1)
    y = -x[:, None]
    cos, sin = (f(jnp.radians(angle))[:, None, None] for f in (jnp.cos, jnp.sin))
    along, beside = x * cos + y * sin, y * cos - x * sin
    widths = (jnp.maximum(w, _MIN_SIGMA)[:, None, None] for w in (sigma, across))
    scaled = (d / w for d, w in zip((along, beside), widths, strict=True))
    return _normalised(jnp.exp(-0.5 * sum(map(jnp.square, scaled))))


def disc(radii: Float[Array, " b"], radius: int) -> Kernels:
    """Defocus kernel: the area of each pixel that a disc covers."""
    # A disc of radius 0.5 or less lies inside one pixel.
    radii = jnp.maximum(radii, 0.5)[:, None, None]
    x = jnp.arange(-radius, radius + 1)
    y = x[:, None] + (jnp.arange(_LINES_PER_PIXEL) + 0.5) / _LINES_PER_PIXEL - 0.5
    chord = jnp.sqrt(jnp.maximum(jnp.square(radii) - jnp.square(y), 0))[..., None]
    # Axes: picture, row, scan line of the row, column.
    covered = jnp.minimum(x + 0.5, chord) - jnp.maximum(x - 0.5, -chord)
    return _normalised(jnp.maximum(covered, 0).mean(2))


def line(length: Float[Array, " b"], angle: Float[Array, " b"], radius: int) -> Kernels:
    """Kernel of uniform linear motion."""
    count = _points(radius)
    along = length[:, None] * ((jnp.arange(count) + 0.5) / count - 0.5)
    angle = jnp.radians(angle)[:, None]
    return _rasterise(along * jnp.cos(angle), -along * jnp.sin(angle), radius)


def shake(
    length: Float[Array, " b"], seed: UInt32[Array, " b"], radius: int
) -> Kernels:
    """Kernel of camera shake: a random path.

    Its velocity is an Ornstein-Uhlenbeck process. Its farthest point from the centroid
    is `length / 2` away, as for a line of that length.
    """
    count = _points(radius)
    noise = jax.vmap(lambda s: jax.random.normal(jax.random.key(s), (count, 2)))(seed)
    path = jnp.einsum(
        "nm,bmd->bnd", _random_path_matrix(count), noise, precision="highest"
    )
    path -= path.mean(1, keepdims=True)
    farthest = jnp.sqrt(jnp.square(path).sum(-1).max(-1))
    path *= (length / 2 / jnp.maximum(farthest, 1e-6))[:, None, None]
    return _rasterise(path[..., 0], path[..., 1], radius)


def _points(radius: int) -> int:
    return max(_MIN_POINTS, 2 * radius * _POINTS_PER_PIXEL)


def _random_path_matrix(count: int) -> np.ndarray:
    """The matrix that turns white noise into positions along a random path."""
    persistence = math.exp(-1 / (_CORRELATION_TIME * count))
    lag = np.arange(count)[:, None] - np.arange(count)
    velocity = np.where(lag >= 0, persistence ** np.maximum(lag, 0), 0)
    velocity[:, 1:] *= math.sqrt(1 - persistence**2)
    return np.cumsum(velocity, axis=0).astype(np.float32)


def _rasterise(x: Float[Array, "b n"], y: Float[Array, "b n"], radius: int) -> Kernels:
    """Rasterises a path: each point is spread bilinearly over four pixels."""
    at = jnp.arange(-radius, radius + 1)
    near_x, near_y = (jnp.maximum(1 - jnp.abs(p[..., None] - at), 0) for p in (x, y))
    return jnp.einsum("bni,bnj->bij", near_y, near_x, precision="highest") / x.shape[1]


def _normalised(kernels: Kernels) -> Kernels:
    return kernels / kernels.sum((1, 2), keepdims=True)
