"""Colour conversions against scikit-image."""

import jax
import numpy as np
import skimage.color
from absl.testing import absltest

from kdsharp.core import color


class ColorTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.grey = np.linspace(0, 1, 256, dtype=np.float32)
        # The Y of XYZ of a grey pixel is its linear light.
        rgb = np.repeat(self.grey[:, None], 3, axis=1)
        self.light = skimage.color.rgb2xyz(rgb)[:, 1]

    def test_srgb_to_linear_equals_scikit_image(self):
        got = color.srgb_to_linear(self.grey)
        np.testing.assert_allclose(got, self.light, atol=1e-6)

    def test_linear_to_srgb_equals_scikit_image(self):
        got = color.linear_to_srgb(self.light.astype(np.float32))
        np.testing.assert_allclose(got, self.grey, atol=1e-5)

    def test_gradients_are_finite_below_black_and_above_white(self):
        for transfer in (color.srgb_to_linear, color.linear_to_srgb):
            for value in (-0.5, 0.0, 1.0, 2.0):
                self.assertGreater(float(jax.grad(transfer)(value)), 0)


if __name__ == "__main__":
    absltest.main()
