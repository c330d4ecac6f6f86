"""Pieces of networks, against NumPy and what they promise."""

import jax
import numpy as np
from absl.testing import absltest, parameterized

from kdsharp.models import layers


class PadTest(parameterized.TestCase):
    @parameterized.parameters((8, 12), (9, 15), (5, 1))
    def test_mirrors_below_and_right(self, height, width):
        x = np.random.default_rng(0).random((1, height, width, 2), np.float32)
        padded = np.asarray(layers.pad_to_multiple(x, 4))
        self.assertEqual(padded.shape, (1, -(-height // 4) * 4, -(-width // 4) * 4, 2))
        wide = np.concatenate([x, x[:, :, ::-1]] * 2, axis=2)
        tall = np.concatenate([wide, wide[:, ::-1]], axis=1)
        _, h, w, _ = padded.shape
        np.testing.assert_array_equal(padded, tall[:, :h, :w])


class DropoutTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.x = np.ones((4, 16, 16, 8), np.float32)
        self.key = {"dropout": jax.random.key(0)}

    def test_nothing_is_dropped_at_rest(self):
        y = layers.Dropout(0.3).apply({}, self.x)
        np.testing.assert_array_equal(y, self.x)

    def test_drops_the_share_it_is_told_and_keeps_the_mean(self):
        y = layers.Dropout(0.3).apply({}, self.x, train=True, rngs=self.key)
        self.assertAlmostEqual(np.mean(y == 0), 0.3, delta=0.03)
        self.assertAlmostEqual(np.mean(y), 1.0, delta=0.05)
        self.assertFalse(np.array_equal(y[0], y[1]))

    def test_is_the_same_on_one_device_and_on_many(self):
        alone = layers.Dropout(0.3).apply({}, self.x, train=True, rngs=self.key)
        shared = layers.Dropout(0.3, axis_name="devices")
        many = jax.pmap(
            lambda x: shared.apply({}, x, train=True, rngs=self.key),
            axis_name="devices",
            devices=jax.devices()[:2],
        )(self.x.reshape(2, 2, *self.x.shape[1:]))
        np.testing.assert_array_equal(alone, np.reshape(many, self.x.shape))


if __name__ == "__main__":
    absltest.main()
