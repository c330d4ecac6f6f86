"""Folding, against PyTorch's pixel shuffles."""

import numpy as np
import torch
from absl.testing import absltest, parameterized

from kdsharp.models import real_time


class FoldTest(parameterized.TestCase):
    @parameterized.parameters(2, 3, 4)
    def test_folding_is_pytorchs_pixel_unshuffle(self, factor):
        x = np.random.default_rng(0).random((2, 12, 24, 1), np.float32)
        expected = torch.nn.functional.pixel_unshuffle(
            torch.tensor(x).permute(0, 3, 1, 2), factor
        ).permute(0, 2, 3, 1)
        np.testing.assert_array_equal(real_time.fold(x, factor), expected)

    @parameterized.parameters((2, 1), (2, 3), (4, 3))
    def test_unfolding_undoes_it(self, factor, channels):
        x = np.random.default_rng(0).random((2, 8, 12, channels), np.float32)
        folded = real_time.fold(x, factor)
        self.assertEqual(
            folded.shape, (2, 8 // factor, 12 // factor, channels * factor**2)
        )
        np.testing.assert_array_equal(real_time.unfold(folded, factor), x)


if __name__ == "__main__":
    absltest.main()
