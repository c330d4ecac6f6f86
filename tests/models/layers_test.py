"""Shared layers, against NumPy and Flax."""

import flax.linen as nn
import jax
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from kdsharp.models import layers


class PadTest(parameterized.TestCase):
    @parameterized.parameters((8, 12), (9, 15), (5, 1))
    def test_padding_mirrors_below_and_right(self, height, width):
        x = np.random.default_rng(0).random((1, height, width, 2), np.float32)
        padded = np.asarray(layers.pad_to_multiple(x, 4))
        self.assertEqual(padded.shape, (1, -(-height // 4) * 4, -(-width // 4) * 4, 2))
        wide = np.concatenate([x, x[:, :, ::-1]] * 2, axis=2)
        tall = np.concatenate([wide, wide[:, ::-1]], axis=1)
        _, h, w, _ = padded.shape
        np.testing.assert_array_equal(padded, tall[:, :h, :w])


class BatchRenormTest(absltest.TestCase):
    """Against Flax's batch norm."""

    def setUp(self):
        super().setUp()
        random = np.random.default_rng(0)
        self.x = random.normal(2, 3, (4, 6, 6, 5)).astype(np.float32)
        scale, bias, mean = random.normal(0, 1, (3, 5)).astype(np.float32)
        self.params = {"scale": scale, "bias": bias}
        self.stats = {"mean": mean, "var": np.full(5, 2.0, np.float32)}
        self.theirs = jax.random.normal(jax.random.key(0), self.x.shape)

    def _apply(self, kind, x, params, stats, train):
        layer = kind(
            use_running_average=not train,
            momentum=0.9,
            dtype=np.float32,
            axis_name=None,
        )
        variables = {"params": params, "batch_stats": stats}
        return layer.apply(variables, x, mutable=["batch_stats"])

    def test_inference_equals_batch_norm(self):
        outputs = [
            self._apply(kind, self.x, self.params, self.stats, train=False)[0]
            for kind in (nn.BatchNorm, layers.BatchRenorm)
        ]
        np.testing.assert_allclose(*outputs, atol=1e-5)

    def test_training_uses_and_updates_running_statistics(self):
        later, _ = self._apply(
            nn.BatchNorm, self.x, self.params, self.stats, train=False
        )
        y, updates = self._apply(
            layers.BatchRenorm, self.x, self.params, self.stats, train=True
        )
        np.testing.assert_allclose(y, later, atol=1e-4)
        _, wanted = self._apply(
            nn.BatchNorm, self.x, self.params, self.stats, train=True
        )
        for name in ("mean", "var"):
            np.testing.assert_allclose(
                updates["batch_stats"][name],
                wanted["batch_stats"][name],
                rtol=1e-5,
            )

    @pytest.mark.slow
    def test_gradients_flow_through_batch_statistics(self):
        # If running and batch statistics are equal, gradients equal batch norm's.
        own = {"mean": self.x.mean((0, 1, 2)), "var": self.x.var((0, 1, 2))}

        def gradients(kind):
            def weighed(x, params):
                y, _ = self._apply(kind, x, params, own, train=True)
                return (y * self.theirs).sum()

            return jax.grad(weighed, (0, 1))(self.x, self.params)

        jax.tree.map(
            lambda ours, theirs: np.testing.assert_allclose(ours, theirs, atol=1e-3),
            gradients(layers.BatchRenorm),
            gradients(nn.BatchNorm),
        )

    def test_statistics_span_the_devices_of_the_axis(self):
        layer = layers.BatchRenorm(
            use_running_average=False, momentum=0.9, dtype=np.float32, axis_name="d"
        )
        variables = {"params": self.params, "batch_stats": self.stats}
        _, updates = jax.vmap(
            lambda x: layer.apply(variables, x, mutable=["batch_stats"]), axis_name="d"
        )(self.x[:, None])
        _, wanted = self._apply(
            nn.BatchNorm, self.x, self.params, self.stats, train=True
        )
        for name in ("mean", "var"):
            for each in updates["batch_stats"][name]:
                np.testing.assert_allclose(each, wanted["batch_stats"][name], rtol=1e-5)


class DropoutTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.x = np.ones((4, 16, 16, 8), np.float32)
        self.key = {"dropout": jax.random.key(0)}

    def test_inference_drops_nothing(self):
        y = layers.Dropout(0.3).apply({}, self.x)
        np.testing.assert_array_equal(y, self.x)

    def test_drops_at_the_given_rate_and_keeps_the_mean(self):
        y = layers.Dropout(0.3).apply({}, self.x, train=True, rngs=self.key)
        self.assertAlmostEqual(np.mean(y == 0), 0.3, delta=0.03)
        self.assertAlmostEqual(np.mean(y), 1.0, delta=0.05)
        self.assertFalse(np.array_equal(y[0], y[1]))

    def test_masks_do_not_depend_on_the_number_of_devices(self):
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
