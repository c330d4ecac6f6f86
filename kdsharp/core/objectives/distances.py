"""Distances between restored pictures and their targets: one number per batch.

Each function `(restored, target)` in `DISTANCES` makes two loss terms: `NAME`, to the
sharp picture, and `NAME_kd`, to a teacher's picture.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from kdsharp.core import similarity
from kdsharp.core.objectives.needs import needs

Picture = Float[Array, "b h w c"]
Distance = Callable[..., Float[Array, ""]]

# As in Lai et al., "Deep Laplacian Pyramid Networks", CVPR 2017.
_CHARBONNIER_EPSILON = 1e-3
_WAVELET_LEVELS = 2
# The mean squared error at 30 dB. Above 30 dB the PSNR loss flattens out, so that
# pictures that are already sharp do not outweigh all others.
_PSNR_FLOOR = 1e-3


def mse(restored: Picture, target: Picture) -> Float[Array, ""]:
    """Mean squared error."""
    return jnp.mean(jnp.square(restored - target))


def l1(restored: Picture, target: Picture) -> Float[Array, ""]:
    """Mean absolute error."""
    return jnp.mean(jnp.abs(restored - target))


def charbonnier(restored: Picture, target: Picture) -> Float[Array, ""]:
    """Charbonnier loss: mean absolute error, smooth around zero."""
    square = jnp.square(restored - target)
    return jnp.mean(jnp.sqrt(square + _CHARBONNIER_EPSILON**2))


def psnr(restored: Picture, target: Picture) -> Float[Array, ""]:
    """Negative PSNR in dB, averaged over pictures.

    Up to about 30 dB, a decibel counts the same under mild and under strong blur.
    """
    error = jnp.mean(jnp.square(restored - target), axis=(1, 2, 3))
    return 10 * jnp.mean(jnp.log10(error + _PSNR_FLOOR))


def ssim(restored: Picture, target: Picture) -> Float[Array, ""]:
    """1 - SSIM."""
    return 1 - jnp.mean(similarity.ssim(restored, target))


def ms_ssim(restored: Picture, target: Picture) -> Float[Array, ""]:
    """1 - MS-SSIM.

    Uses as many of the five scales as fit the crop: two from 21 pixels, three from 41.
    """
    scales = similarity.scales_for(*restored.shape[1:3])
    return 1 - jnp.mean(similarity.ms_ssim(restored, target, scales=scales))


def edge(restored: Picture, target: Picture) -> Float[Array, ""]:
    """Mean absolute difference of the image gradients."""
    difference = restored - target
    across = jnp.mean(jnp.abs(jnp.diff(difference, axis=2)))
    down = jnp.mean(jnp.abs(jnp.diff(difference, axis=1)))
    return (across + down) / 2


def frequency(restored: Picture, target: Picture) -> Float[Array, ""]:
    """Mean absolute difference of the Fourier coefficients.

    Real and imaginary parts are compared separately, with orthonormal scaling, so that
    white noise scores the same at any picture size. After Cho et al., "Rethinking
    Coarse-to-Fine Approach in Single Image Deblurring", ICCV 2021.
    """
    spectrum = jnp.fft.rfft2(restored - target, axes=(1, 2), norm="ortho")
    return (jnp.mean(jnp.abs(spectrum.real)) + jnp.mean(jnp.abs(spectrum.imag))) / 2


def wavelet(restored: Picture, target: Picture) -> Float[Array, ""]:
    """Mean absolute difference of the Haar coefficients, all bands weighted equally.

    After the distillation of MTKD (Jiang et al., ECCV 2024), which compares students
    with teachers band by band.
    """
    bands, low = [], restored - target
    for _ in range(_WAVELET_LEVELS):
        low, *details = _haar(low)
        bands += details
    errors = [jnp.mean(jnp.abs(band)) for band in [low, *bands]]
    return jnp.asarray(sum(errors) / len(errors))


@needs("vgg")
def perceptual(
    restored: Picture,
    target: Picture,
    *,
    perceive: Callable[[Picture], Float[Array, "b H W f"]],
) -> Float[Array, ""]:
    """Mean absolute difference of VGG16's features of the pictures."""
    seen = jax.lax.stop_gradient(perceive(target))
    return jnp.mean(jnp.abs(perceive(restored) - seen))


def _haar(x: Picture) -> list[Picture]:
    """One level of the orthonormal Haar transform: the low band and three detail bands.

    An odd last row or column is paired with a copy of itself.
    """
    height, width = x.shape[1:3]
    x = jnp.pad(x, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    bands = []
    for part in _sum_and_difference(x, axis=1):
        bands += _sum_and_difference(part, axis=2)
    return bands


def _sum_and_difference(x: jax.Array, axis: int) -> tuple[jax.Array, jax.Array]:
    first = jax.lax.slice_in_dim(x, 0, None, stride=2, axis=axis)
    second = jax.lax.slice_in_dim(x, 1, None, stride=2, axis=axis)
    return (first + second) / jnp.sqrt(2.0), (first - second) / jnp.sqrt(2.0)


DISTANCES: dict[str, Distance] = {
    "mse": mse,
    "l1": l1,
    "charbonnier": charbonnier,
    "psnr": psnr,
    "ssim": ssim,
    "ms_ssim": ms_ssim,
    "edge": edge,
    "frequency": frequency,
    "wavelet": wavelet,
    "perceptual": perceptual,
}
