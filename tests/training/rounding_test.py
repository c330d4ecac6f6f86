"""Rounding in training: levels, gradients, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from kdsharp import models
from kdsharp.errors import UserError
from kdsharp.training import rounding

_MODEL = dict(name="real_time", channels=1, depth=3, width=4, context=2)


def _network():
    model = models.create(**_MODEL)
    pixels = jax.random.uniform(jax.random.key(1), (2, 16, 16, 1))
    params = model.init(jax.random.key(0), pixels)["params"]
    # The last layer begins at zero.
    params["conv3"]["kernel"] = params["conv2"]["kernel"]
    return model, params, pixels


class RoundingTest(absltest.TestCase):
    def test_each_filter_has_its_levels(self):
        _, params, _ = _network()
        rounded = rounding.kernels(params)
        for layer in ("conv1", "conv2", "conv3"):
            kernel, before = (np.array(p[layer]["kernel"]) for p in (rounded, params))
            step = np.abs(before).max(axis=(0, 1, 2)) / 127
            levels = kernel / step
            np.testing.assert_allclose(levels, np.round(levels), atol=1e-3)
            self.assertLess(np.abs((kernel - before) / step).max(), 0.501)
            self.assertTrue((kernel != before).any())

    def test_what_is_no_convolution_stays(self):
        _, params, _ = _network()
        rounded = rounding.kernels(params)
        for same, before in (
            (rounded["context"], params["context"]),
            (rounded["conv2"]["bias"], params["conv2"]["bias"]),
        ):
            jax.tree.map(np.testing.assert_array_equal, same, before)

    def test_what_a_convolution_computes_has_256_levels(self):
        model, params, pixels = _network()

        def features():
            _, seen = model.apply(
                {"params": params}, pixels, capture_intermediates=True
            )
            return np.array(seen["intermediates"]["conv2"]["__call__"][0])

        exact = features()
        with rounding.outputs():
            found = features()
        self.assertLessEqual(len(np.unique(found)), 256)
        self.assertGreater(len(np.unique(exact)), 256)
        np.testing.assert_allclose(found, exact, atol=0.02 * np.ptp(exact))
        np.testing.assert_array_equal(features(), exact)

    def test_gradients_pass_through(self):
        model, params, pixels = _network()

        def loss(params):
            with rounding.outputs():
                rounded = rounding.kernels(params)
                return jnp.sum(model.apply({"params": rounded}, pixels) ** 2)

        for gradient in jax.tree.leaves(jax.grad(loss)(params)):
            self.assertTrue(np.isfinite(gradient).all())
        gradients = jax.grad(loss)(params)
        self.assertGreater(np.abs(gradients["conv1"]["kernel"]).max(), 0)

    def test_a_constant_is_not_divided_by_nothing(self):
        zeros = jnp.zeros((3, 3, 1, 2))
        rounded = rounding.kernels({"conv": {"kernel": zeros}})
        np.testing.assert_array_equal(rounded["conv"]["kernel"], zeros)

    def test_only_int8_and_plain_convolutions(self):
        rounding.check("", "expanded")
        rounding.check("int8", "plain")
        with self.assertRaisesRegex(UserError, "unknown rounding 'int4'"):
            rounding.check("int4", "plain")
        with self.assertRaisesRegex(UserError, "convolution=plain"):
            rounding.check("int8", "expanded")


if __name__ == "__main__":
    absltest.main()
