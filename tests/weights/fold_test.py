"""Folded networks give the same results as with batch norm."""

import jax
import numpy as np
from absl.testing import absltest, parameterized

from kdsharp import models
from kdsharp.weights import fold
from tests.models import fast


def _random_variables(model, channels: int) -> dict:
    random = np.random.default_rng(0)
    x = np.zeros((1, 8, 8, channels), np.float32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), x)

    def draw(path, value):
        low, high = (0.3, 2.0) if path[-1].key == "var" else (-0.5, 0.5)
        return random.uniform(low, high, value.shape).astype(np.float32)

    return jax.tree_util.tree_map_with_path(draw, dict(shapes))


class FoldTest(parameterized.TestCase):
    @parameterized.parameters(
        dict(name="dncnn", depth=6, width=8),
        dict(name="dncnn", depth=6, width=8, norm_after=(1, 3), mean=(0.1, 0.2, 0.3)),
        dict(name="dncnn", depth=3, width=8, norm_after=()),
        dict(name="light_cnn", widths=(8, 6), channels=1),
        dict(name="unet", widths=(4, 6, 8)),
        dict(name="real_time", channels=1, width=6, convolution="expanded", skip=True),
    )
    def test_folded_network_gives_the_same_result(self, **arguments):
        model = models.create(**arguments)
        channels = arguments.get("channels", 3)
        variables = _random_variables(model, channels)
        arguments, folded = fold.fold(arguments, variables)
        x = np.random.default_rng(1).random((1, 13, 10, channels), np.float32)
        wanted = fast.jit(model.apply)(variables, x)
        self.assertGreater(np.abs(wanted).max(), 0.1)
        found = fast.jit(models.create(**arguments).apply)(folded, x)
        largest = max(1.0, np.abs(wanted).max())
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5 * largest)
        self.assertEmpty(folded["batch_stats"])

    def test_folded_variables_fit_the_network_without_norm(self):
        model = models.create("light_cnn")
        arguments, folded = fold.fold(
            {"name": "light_cnn"}, _random_variables(model, 3)
        )
        shapes = jax.eval_shape(
            models.create(**arguments).init,
            jax.random.key(0),
            np.zeros((1, 8, 8, 3), np.float32),
        )
        self.assertEqual(
            jax.tree.map(np.shape, folded["params"]),
            jax.tree.map(np.shape, shapes["params"]),
        )

    def test_single_filter_equals_closed_form(self):
        variables = {
            "params": {
                "conv1": {"kernel": np.full((1, 1, 1, 1), 3.0, np.float32)},
                "norm1": {"scale": np.float32([2.0]), "bias": np.float32([7.0])},
            },
            "batch_stats": {
                "norm1": {"mean": np.float32([5.0]), "var": np.float32([15.0])}
            },
        }
        params = fold.fold_variables(variables, epsilon=1.0)["params"]
        # 2 (3 x - 5) / sqrt(15 + 1) + 7
        np.testing.assert_allclose(params["conv1"]["kernel"].item(), 1.5)
        np.testing.assert_allclose(params["conv1"]["bias"].item(), 4.5)


if __name__ == "__main__":
    absltest.main()
