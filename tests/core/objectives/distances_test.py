"""Distances between pictures, against NumPy and PyTorch."""

import unittest

import jax
import numpy as np
import skimage.metrics
from absl.testing import absltest, parameterized

from kdsharp.core.objectives import distances, needs

try:
    import torch
except ImportError:
    torch = None


def _pictures(seed: int = 0, shape=(2, 24, 20, 3)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return tuple(rng.random(shape, np.float32) for _ in range(2))


def _haar_bands(x: np.ndarray, levels: int) -> list[np.ndarray]:
    """The Haar bands by matrix products."""
    low, bands = x.astype(np.float64), []
    for _ in range(levels):
        h, w = low.shape[1:3]
        rows, columns = _haar_matrix(h), _haar_matrix(w)
        both = np.einsum("ih,bhwc,jw->bijc", rows, low, columns)
        low = both[:, : h // 2, : w // 2]
        bands += [
            both[:, : h // 2, w // 2 :],
            both[:, h // 2 :, : w // 2],
            both[:, h // 2 :, w // 2 :],
        ]
    return [low, *bands]


def _haar_matrix(size: int) -> np.ndarray:
    """The Haar matrix: sums in the upper half, differences in the lower."""
    pairs = np.eye(size // 2)
    return np.concatenate([np.kron(pairs, [1, 1]), np.kron(pairs, [1, -1])]) / np.sqrt(
        2
    )


class DistancesTest(parameterized.TestCase):
    @parameterized.parameters(
        ("mse", "mse_loss"),
        ("l1", "l1_loss"),
    )
    @unittest.skipIf(torch is None, "PyTorch is not installed")
    def test_equals_pytorch(self, name, reference):
        a, b = _pictures()
        reference = getattr(torch.nn.functional, reference)
        expected = float(reference(torch.tensor(a), torch.tensor(b)))
        value = distances.DISTANCES[name](a, b)
        np.testing.assert_allclose(value, expected, rtol=1e-6)

    def test_charbonnier_is_quadratic_near_zero_and_absolute_far_from_it(self):
        a, b = _pictures()
        far = np.mean(np.abs(10 * (a - b)))
        np.testing.assert_allclose(distances.charbonnier(10 * a, 10 * b), far, 1e-4)
        near = np.mean(1e-3 + (3e-4 * (a - b).astype(np.float64)) ** 2 / 2e-3)
        np.testing.assert_allclose(
            distances.charbonnier(3e-4 * a, 3e-4 * b), near, 1e-4
        )

    def test_psnr_is_the_mean_over_pictures_and_flat_beyond_30_db(self):
        a, b = _pictures()
        b[1] = (a[1] + b[1]) / 2
        by_picture = [
            skimage.metrics.peak_signal_noise_ratio(x, y, data_range=1)
            for x, y in zip(a, b, strict=True)
        ]
        self.assertGreater(abs(by_picture[0] - by_picture[1]), 5)
        found = distances.psnr(a, b)
        np.testing.assert_allclose(found, -np.mean(by_picture), atol=0.1)
        self.assertAlmostEqual(float(distances.psnr(a, a)), -30, places=3)

    def test_edge_compares_gradients_and_ignores_brightness(self):
        a, b = _pictures()
        across = np.abs(np.diff(a, axis=2) - np.diff(b, axis=2)).mean()
        down = np.abs(np.diff(a, axis=1) - np.diff(b, axis=1)).mean()
        np.testing.assert_allclose(distances.edge(a, b), (across + down) / 2, 1e-5)
        self.assertLess(distances.edge(a, a + 0.25), 1e-6)

    def test_frequency_compares_the_half_spectrum(self):
        a, b = _pictures()
        spectrum = np.fft.rfft2(a - b, axes=(1, 2)) / np.sqrt(24 * 20)
        parts = np.abs(spectrum.real).mean() + np.abs(spectrum.imag).mean()
        np.testing.assert_allclose(distances.frequency(a, b), parts / 2, 1e-5)

    def test_wavelet_is_the_mean_over_bands(self):
        a, b = _pictures()
        bands = _haar_bands(a - b, levels=2)
        expected = np.mean([np.abs(band).mean() for band in bands])
        np.testing.assert_allclose(distances.wavelet(a, b), expected, rtol=1e-5)

    def test_perceptual_compares_features_without_gradient_to_the_target(self):
        a, b = _pictures()

        def perceive(x):
            return x[:, ::2, ::2] ** 2

        expected = np.abs(a[:, ::2, ::2] ** 2 - b[:, ::2, ::2] ** 2).mean()
        value = distances.perceptual(a, b, perceive=perceive)
        np.testing.assert_allclose(value, expected, rtol=1e-5)
        grad = jax.grad(distances.perceptual, 1)(a, b, perceive=perceive)
        np.testing.assert_array_equal(grad, 0)

    @parameterized.parameters(
        *(name for name, loss in distances.DISTANCES.items() if not needs.of(loss))
    )
    def test_gradients_are_finite_and_descend(self, name):
        distance = jax.jit(jax.value_and_grad(distances.DISTANCES[name]))
        a, b = _pictures(shape=(2, 33, 35, 3))
        for restored in (a, b, np.zeros_like(a)):
            value, grad = distance(restored, b)
            self.assertTrue(np.isfinite(value))
            self.assertTrue(np.all(np.isfinite(grad)))
        # One step of gradient descent.
        value, grad = distance(a, b)
        step = 1e-3 * a.size**0.5 * grad / np.linalg.norm(grad) / 10
        self.assertLess(distance(a - step, b)[0], value)


if __name__ == "__main__":
    absltest.main()
