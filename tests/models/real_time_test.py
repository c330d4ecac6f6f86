"""Real-time networks, against PyTorch's pixel shuffle and convolutions."""

import unittest

import jax
import numpy as np
from absl.testing import absltest, parameterized
from scipy import ndimage

from kdsharp import models
from kdsharp.errors import UserError
from kdsharp.models import real_time

try:
    import torch
except ImportError:
    torch = None


class FoldTest(parameterized.TestCase):
    @parameterized.parameters(2, 3, 4)
    @unittest.skipIf(torch is None, "PyTorch is not installed")
    def test_fold_equals_pytorch_s_pixel_unshuffle(self, factor):
        x = np.random.default_rng(0).random((2, 12, 24, 1), np.float32)
        expected = torch.nn.functional.pixel_unshuffle(
            torch.tensor(x).permute(0, 3, 1, 2), factor
        ).permute(0, 2, 3, 1)
        np.testing.assert_array_equal(real_time.fold(x, factor), expected)

    @parameterized.parameters((2, 1), (2, 3), (4, 3))
    def test_unfold_is_the_inverse(self, factor, channels):
        x = np.random.default_rng(0).random((2, 8, 12, channels), np.float32)
        folded = real_time.fold(x, factor)
        self.assertEqual(
            folded.shape, (2, 8 // factor, 12 // factor, channels * factor**2)
        )
        np.testing.assert_array_equal(real_time.unfold(folded, factor), x)


class ContextTest(parameterized.TestCase):
    def _statistics(self, picture: np.ndarray, filters: int = 12) -> np.ndarray:
        context = real_time.Context(4, filters)
        variables = context.init(jax.random.key(0), picture[None, ..., None])
        found = context.apply(variables, picture[None, ..., None], method="statistics")
        return np.asarray(found)[0]

    @parameterized.parameters(4, 8, 12, 20)
    def test_kernels_ignore_flat_areas_and_have_unit_norm(self, filters):
        context = real_time.Context(4, filters)
        variables = context.init(jax.random.key(0), np.zeros((1, 24, 24, 1)))
        look = variables["params"]["look"]
        self.assertEqual(look.shape, (12, 12, 1, filters))
        np.testing.assert_allclose(look.sum((0, 1)), 0, atol=1e-5)
        norms = np.linalg.norm(np.asarray(look).reshape(144, filters), axis=0)
        np.testing.assert_allclose(norms[:12], 1, rtol=1e-5)

    def test_kernels_tell_directions_apart(self):
        rows = np.random.default_rng(0).random((64, 1)) * np.ones((1, 64))
        across, down = self._statistics(rows), self._statistics(rows.T)
        least = np.log(3e-4) + 3
        # In pairs: differences across, then down.
        np.testing.assert_allclose(across[0:12:2], least, atol=0.05)
        np.testing.assert_allclose(down[1:12:2], least, atol=0.05)
        self.assertGreater(across[1:12:2].min(), least + 3)
        np.testing.assert_allclose(across[1:12:2], down[0:12:2], rtol=1e-4)

    def test_blur_lowers_fine_differences_most(self):
        sharp = np.random.default_rng(0).random((96, 96))
        blurred = ndimage.gaussian_filter(sharp, 1.5)
        lost = self._statistics(sharp) - self._statistics(blurred)
        second, first = lost[:6], lost[6:12]
        for differences in (second, first):
            self.assertGreater(differences[0], differences[2] + 0.2)
            self.assertGreater(differences[2], differences[4] + 0.2)


class NetworkTest(parameterized.TestCase):
    @parameterized.parameters(
        {},
        {"learned_slope": True, "skip": True},
        {"factor": 4, "ends": 5},
        {"convolution": "separable"},
        {"convolution": "expanded"},
    )
    def test_any_size_starts_as_the_identity(self, **arguments):
        network = models.create("real_time", channels=1, width=8, **arguments)
        x = np.random.default_rng(0).random((2, 13, 10, 1), np.float32)
        variables = network.init(jax.random.key(0), x)
        # Untrained, the residual is zero.
        np.testing.assert_array_equal(network.apply(variables, x), np.zeros_like(x))

    @unittest.skipIf(torch is None, "PyTorch is not installed")
    def test_expanded_convolution_equals_its_parts_in_sequence(self):
        random = np.random.default_rng(0)
        wide = random.normal(size=(3, 3, 4, 7)).astype(np.float32)
        narrow = random.normal(size=(7, 4)).astype(np.float32)
        x = torch.tensor(random.random((1, 4, 9, 8), np.float32))
        convolve = torch.nn.functional.conv2d
        inner = convolve(x, torch.tensor(wide).permute(3, 2, 0, 1), padding=1)
        expected = x + convolve(inner, torch.tensor(narrow.T)[:, :, None, None])
        kernel = torch.tensor(np.array(real_time.collapse_kernel(wide, narrow)))
        found = convolve(x, kernel.permute(3, 2, 0, 1), padding=1)
        np.testing.assert_allclose(found, expected, atol=1e-5)

    def test_unknown_convolution_is_a_user_error(self):
        network = models.create("real_time", convolution="deep")
        with self.assertRaisesRegex(UserError, "unknown convolution 'deep'.*expanded"):
            network.init(jax.random.key(0), np.zeros((1, 8, 8, 3), np.float32))


if __name__ == "__main__":
    absltest.main()
