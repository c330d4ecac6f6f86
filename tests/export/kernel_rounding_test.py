"""Rounding of kernels, against rounding each weight to the nearest step."""

import numpy as np
from absl.testing import absltest

from kdsharp.export import kernel_rounding
from kdsharp.export.quantization import LARGEST, Convolution, RoundedKernel


def _convolution() -> Convolution:
    random = np.random.default_rng(0)
    kernel = random.normal(size=(4, 3, 3, 3)).astype(np.float32)
    bias = random.normal(size=4).astype(np.float32)
    return Convolution("before", "after", kernel, bias, dilation=1, group=1)


def _smooth(seed: int = 1) -> np.ndarray:
    """A picture whose neighbouring pixels are alike."""
    noise = np.random.default_rng(seed).random((1, 3, 64, 64), np.float32)
    for axis in (2, 3):
        for _ in range(4):
            noise = (noise + np.roll(noise, 1, axis)) / 2
    return noise


def _outputs(kernel: np.ndarray, bias: np.ndarray, picture: np.ndarray) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(picture[0], (3, 3), (1, 2))
    return np.einsum("chwij,ocij->ohw", windows, kernel) + bias[:, None, None]


def _error(convolution: Convolution, rounded: RoundedKernel) -> float:
    picture = _smooth(seed=2)
    kernel = rounded.whole * rounded.steps[:, None, None, None]
    of_rounded = _outputs(kernel, rounded.bias, picture)
    wanted = _outputs(convolution.kernel, convolution.bias, picture)
    return float(np.sqrt(np.mean(np.square(of_rounded - wanted))))


def _nearest(convolution: Convolution) -> RoundedKernel:
    return kernel_rounding.round_kernel(convolution, np.eye(28))


class KernelRoundingTest(absltest.TestCase):
    def test_errors_cancel_where_inputs_are_alike(self):
        convolution = _convolution()
        moments = kernel_rounding.moments(convolution, _smooth())
        rounded = kernel_rounding.round_kernel(convolution, moments)
        self.assertLessEqual(np.abs(rounded.whole).max(), LARGEST)
        self.assertLess(
            _error(convolution, rounded),
            0.2 * _error(convolution, _nearest(convolution)),
        )

    def test_unrelated_inputs_are_rounded_to_the_nearest_step(self):
        convolution = _convolution()
        rounded = _nearest(convolution)
        steps = np.abs(convolution.kernel).max((1, 2, 3)) / LARGEST
        np.testing.assert_allclose(rounded.steps, steps, rtol=1e-6)
        nearest = np.round(convolution.kernel / steps[:, None, None, None])
        np.testing.assert_array_equal(rounded.whole, nearest)
        np.testing.assert_allclose(rounded.bias, convolution.bias, atol=1e-6)

    def test_moments_are_those_of_all_windows(self):
        convolution = _convolution()
        picture = _smooth()[:, :, :20, :20]
        padded = np.pad(picture, ((0, 0), (0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded[0], (3, 3), (1, 2))
        terms = windows.transpose(1, 2, 0, 3, 4).reshape(400, 27)
        terms = np.hstack([terms, np.ones((400, 1))])
        found = kernel_rounding.moments(convolution, picture)
        np.testing.assert_allclose(found, terms.T @ terms / 400, rtol=1e-4)

    def test_filters_of_zeros_stay_zero(self):
        convolution = _convolution()
        convolution.kernel[1] = 0
        rounded = _nearest(convolution)
        np.testing.assert_array_equal(rounded.whole[1], 0)
        self.assertAlmostEqual(rounded.bias[1], convolution.bias[1], places=5)


if __name__ == "__main__":
    absltest.main()
