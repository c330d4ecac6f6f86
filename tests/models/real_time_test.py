"""Real-time networks, against PyTorch's pixel shuffle and convolutions."""

import unittest

import jax
import numpy as np
from absl.testing import absltest, parameterized

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
