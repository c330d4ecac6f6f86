"""Operations and bytes of networks, against XLA's count and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from benchmarks import layers, roofline
from kdsharp import models
from kdsharp.training.state import init_variables

_SMALL = {
    "dncnn": {"depth": 4, "width": 16, "norm_after": "inner"},
    "unet": {},
    "separable_unet": {},
    "swinir": {"depths": (2,), "width": 60, "heads": (6,)},
}


def _xla(call, *arguments) -> float:
    return jax.jit(call).lower(*arguments).cost_analysis()["flops"]


class LayersTest(parameterized.TestCase):
    @parameterized.parameters(*_SMALL)
    @pytest.mark.slow
    def test_operations_equal_xla_s_count(self, name):
        model = models.create(name, **_SMALL[name])
        variables = jax.eval_shape(lambda: init_variables(model, 3, jax.random.key(0)))
        pixels = jax.ShapeDtypeStruct((2, 64, 64, 3), jnp.float32)

        def loss(params, pixels):
            held = {**variables, "params": params}
            held["batch_stats"] = jax.tree.map(
                lambda x: jnp.ones(x.shape), held["batch_stats"]
            )
            return jnp.mean(model.apply(held, pixels) ** 2)

        for call in (loss, jax.grad(loss)):
            found = layers.count(call, variables["params"], pixels)
            counted = sum(layer.operations for layer in found)
            # XLA leaves out products with padding, and counts sums and norms.
            theirs = _xla(call, variables["params"], pixels)
            np.testing.assert_allclose(counted, theirs, rtol=0.13)

    def test_convolution_and_product_equal_closed_forms(self):
        x, kernel = np.ones((2, 10, 12, 6)), np.ones((3, 5, 2, 9))
        (layer,) = layers.count(
            lambda x, kernel: jax.lax.conv_general_dilated(
                x,
                kernel,
                (2, 1),
                "VALID",
                dimension_numbers=("NHWC", "HWIO", "NHWC"),
                feature_group_count=3,
            ),
            x,
            kernel,
        )
        self.assertEqual(layer.operations, 2 * (2 * 4 * 8 * 9) * (3 * 5 * 2))
        self.assertEqual(layer.elements, x.size + kernel.size + 2 * 4 * 8 * 9)
        (layer,) = layers.count(jnp.matmul, np.ones((7, 3, 4)), np.ones((7, 4, 5)))
        self.assertEqual(layer.operations, 2 * 7 * 3 * 4 * 5)

    def test_time_of_a_layer_is_the_maximum_of_compute_and_memory(self):
        device = roofline.Device("some", operations=1e6, bytes=1e3, unit=8)
        wide = layers.Layer(rows=100, depth=8, columns=16, groups=1, elements=1)
        self.assertAlmostEqual(roofline.seconds(wide, device), 25600 / 1e6)
        narrow = layers.Layer(rows=100, depth=1, columns=1, groups=1, elements=1)
        self.assertAlmostEqual(roofline.seconds(narrow, device), 12800 / 1e6)
        light = layers.Layer(rows=1, depth=8, columns=8, groups=1, elements=500)
        self.assertAlmostEqual(roofline.seconds(light, device), 1.0)


if __name__ == "__main__":
    absltest.main()
