"""Blurs against SciPy."""

import jax
import numpy as np
import scipy.ndimage
import skimage.color
from absl.testing import absltest, parameterized

from kdsharp.core import degradations
from kdsharp.core.degradations import blurs
from tests.core.degradations.photographs import as_float, as_planes, crops

_EIGHT_BITS = 0.51 / 255


def _kernels(count: int, side: int) -> np.ndarray:
    kernels = np.random.default_rng(0).uniform(size=(count, side, side))
    kernels /= kernels.sum((1, 2), keepdims=True)
    return kernels.astype(np.float32)


class BlursTest(parameterized.TestCase):
    @parameterized.parameters((31, 45, 7), (9, 8, 21))
    def test_convolution_equals_scipy(self, height, width, side):
        planes, kernels = as_planes(crops(2, height, width)), _kernels(2, side)
        got = jax.jit(blurs.convolve)(planes, kernels)
        wanted = [
            [scipy.ndimage.convolve(p, k, mode="reflect") for p in picture]
            for picture, k in zip(planes, kernels, strict=True)
        ]
        np.testing.assert_allclose(got, wanted, atol=2e-6)

    def test_pictures_of_different_sizes_are_mirrored_at_their_own_borders(self):
        planes, kernels = as_planes(crops(2, 40, 40)), _kernels(2, 9)
        sizes = np.array([[17, 30], [40, 3]])
        got = np.asarray(jax.jit(blurs.convolve)(planes, kernels, sizes))
        for i, (height, width) in enumerate(sizes):
            wanted = [
                scipy.ndimage.convolve(p[:height, :width], kernels[i], mode="reflect")
                for p in planes[i]
            ]
            np.testing.assert_allclose(got[i, :, :height, :width], wanted, atol=2e-6)

    def test_gaussian_of_sampled_sigma_equals_scipy(self):
        pictures = as_float(crops(4))
        degrade = degradations.create("gaussian:0.4-3")
        drawn = degrade.draw(jax.random.split(jax.random.key(0), 4))
        got = degrade.apply(drawn, pictures)
        for ours, picture, sigma in zip(
            got, pictures, drawn["gaussian.sigma"], strict=True
        ):
            wanted = scipy.ndimage.gaussian_filter(
                picture, float(sigma), axes=(0, 1), radius=12
            )
            np.testing.assert_allclose(ours, wanted, atol=_EIGHT_BITS)

    def test_gaussian_with_equal_sigmas_is_isotropic(self):
        pictures = as_float(crops(2))
        keys = jax.random.split(jax.random.key(0), 2)
        got = degradations.create("gaussian:1.5,across=1.5")(keys, pictures)
        wanted = scipy.ndimage.gaussian_filter(pictures, 1.5, axes=(1, 2))
        np.testing.assert_allclose(got, wanted, atol=1.01 / 255)

    def test_linear_blurs_linear_light(self):
        grey = np.repeat(crops(1, channels=1), 3, axis=-1)
        # The Y of XYZ of a grey pixel is its linear light.
        light = skimage.color.rgb2xyz(grey[0])[..., 1]
        light = scipy.ndimage.gaussian_filter(light, 2)
        wanted = skimage.color.xyz2rgb(
            light[..., None] * skimage.color.rgb2xyz(np.ones(3))
        )
        keys = jax.random.split(jax.random.key(0), 1)
        got = degradations.create("gaussian:2,linear=1")(keys, as_float(grey))
        np.testing.assert_allclose(got[0], wanted, atol=1.01 / 255)

    def test_halo_is_an_unsharp_mask_of_8_bits(self):
        pictures = as_float(crops(1))
        keys = jax.random.split(jax.random.key(0), 1)
        got = degradations.create("halo:1.5,sigma=2")(keys, pictures)
        soft = scipy.ndimage.gaussian_filter(pictures, 2, axes=(1, 2))
        wanted = np.clip(pictures + 1.5 * (pictures - soft), 0, 1)
        np.testing.assert_allclose(got, wanted, atol=_EIGHT_BITS)
        self.assertEqual(np.max(got), 1)


if __name__ == "__main__":
    absltest.main()
