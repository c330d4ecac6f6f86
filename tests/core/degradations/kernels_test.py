"""Blur kernels against closed forms and SciPy."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.ndimage
from absl.testing import absltest, parameterized

from kdsharp.core.degradations import kernels

_RADIUS = 9


def _moments(kernel) -> tuple[float, np.ndarray, np.ndarray]:
    """Sum, centroid and covariance, in x to the right and y upwards."""
    kernel = np.asarray(kernel, float)
    x = np.arange(kernel.shape[1]) - kernel.shape[1] // 2
    points = np.stack(np.meshgrid(x, -x), axis=-1).reshape(-1, 2)
    weights = kernel.ravel()
    centroid = weights @ points
    covariance = (points - centroid).T @ ((points - centroid) * weights[:, None])
    return weights.sum(), centroid, covariance


def _some(name: str):
    sizes = jnp.asarray([0.0, 0.3, 1.0, 2.5, 4.0])
    angles = jnp.asarray([0.0, 30.0, 90.0, 137.0, 180.0])
    match name:
        case "gaussian":
            return kernels.gaussian(sizes / 2, sizes / 4, angles, _RADIUS)
        case "disc":
            return kernels.disc(sizes, _RADIUS)
        case "line":
            return kernels.line(4 * sizes, angles, _RADIUS)
        case "shake":
            return kernels.shake(4 * sizes, jnp.arange(5, dtype=jnp.uint32), _RADIUS)


class KernelsTest(parameterized.TestCase):
    @parameterized.parameters("gaussian", "disc", "line", "shake")
    def test_sum_is_one_and_centroid_zero(self, name):
        for kernel in _some(name):
            total, centroid, _ = _moments(kernel)
            self.assertAlmostEqual(total, 1, places=5)
            np.testing.assert_allclose(centroid, 0, atol=1e-4)
            self.assertGreaterEqual(kernel.min(), 0)

    @parameterized.parameters("gaussian", "disc", "line", "shake")
    @pytest.mark.slow
    def test_size_zero_is_a_single_pixel(self, name):
        point = np.zeros((2 * _RADIUS + 1,) * 2)
        point[_RADIUS, _RADIUS] = 1
        # The minimum sigma of a Gaussian is 0.2 pixels.
        np.testing.assert_allclose(_some(name)[0], point, atol=5e-5)

    def test_gaussian_taps_equal_scipy(self):
        impulse = np.zeros(2 * _RADIUS + 1)
        impulse[_RADIUS] = 1
        sigmas = [0.5, 1.3, 3.0]
        for taps, sigma in zip(
            kernels.gaussian_taps(jnp.asarray(sigmas), _RADIUS), sigmas, strict=True
        ):
            wanted = scipy.ndimage.gaussian_filter1d(impulse, sigma, radius=_RADIUS)
            np.testing.assert_allclose(taps, wanted, atol=1e-6)

    @parameterized.parameters(0, 30, 90, 135)
    def test_gaussian_has_the_given_covariance(self, angle):
        kernel = kernels.gaussian(*(jnp.asarray([v]) for v in (2.0, 0.8, angle)), 12)[0]
        turn = np.radians(angle)
        axes = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        wanted = axes @ np.diag([2.0**2, 0.8**2]) @ axes.T
        np.testing.assert_allclose(_moments(kernel)[2], wanted, atol=0.01)

    @parameterized.parameters(0.7, 1.0, 2.2, 4.9)
    def test_disc_equals_supersampling(self, radius):
        fine = 100
        at = (np.arange(11 * fine) + 0.5) / fine - 5.5
        inside = np.hypot(at, at[:, None]) < radius
        wanted = inside.reshape(11, fine, 11, fine).mean((1, 3))
        kernel = kernels.disc(jnp.asarray([radius]), 5)[0]
        np.testing.assert_allclose(kernel, wanted / wanted.sum(), atol=2e-3)

    @parameterized.parameters((0, 1.0), (0, 6.5), (90, 5.3))
    def test_line_is_the_integral_of_a_triangle(self, angle, length):
        kernel = kernels.line(jnp.asarray([length]), jnp.asarray([float(angle)]), 4)[0]
        profile = np.asarray(kernel).sum(0 if angle == 0 else 1)
        wanted = [
            scipy.integrate.quad(
                lambda t, at=at: max(1 - abs(t - at), 0),
                -length / 2,
                length / 2,
                points=[p for p in (at - 1, at, at + 1) if abs(p) < length / 2],
            )[0]
            / length
            for at in range(-4, 5)
        ]
        np.testing.assert_allclose(profile, wanted, atol=2e-3)

    @parameterized.parameters(20, 45, 110, 160)
    def test_line_lies_along_its_angle(self, angle):
        kernel = kernels.line(jnp.asarray([16.0]), jnp.asarray([float(angle)]), _RADIUS)
        values, vectors = np.linalg.eigh(_moments(kernel[0])[2])
        x, y = vectors[:, 1]
        self.assertAlmostEqual(np.degrees(np.arctan2(y, x)) % 180, angle, delta=0.7)
        # The variance of a uniform line; the pixels add up to half a pixel.
        self.assertAlmostEqual(values[1], 16**2 / 12, delta=0.4)

    @pytest.mark.slow
    def test_shakes_have_the_given_extent_and_differ(self):
        seeds = jnp.arange(6, dtype=jnp.uint32)
        found = np.asarray(kernels.shake(jnp.full(6, 10.0), seeds, _RADIUS))
        y, x = np.mgrid[-_RADIUS : _RADIUS + 1, -_RADIUS : _RADIUS + 1]
        for kernel in found:
            reached = np.hypot(x, y)[kernel > 0].max()
            self.assertBetween(reached, 10 / 2 - 1, 10 / 2 + np.sqrt(2))
        for i in range(5):
            self.assertGreater(np.abs(found[i] - found[i + 1]).sum(), 0.1)


if __name__ == "__main__":
    absltest.main()
