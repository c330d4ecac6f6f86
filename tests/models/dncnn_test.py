"""DnCNN: parameter counts, shapes and the residual."""

import jax
import numpy as np
from absl.testing import absltest, parameterized

from kdsharp import models
from kdsharp.errors import UserError

_TEACHER = {"depth": 17, "width": 64, "norm_after": "inner"}
_STUDENT = {"depth": 8, "width": 32, "norm_after": (3, 6)}


def _init(model, channels=3):
    return model.init(jax.random.key(0), np.zeros((1, 16, 16, channels), np.float32))


class DnCNNTest(parameterized.TestCase):
    @parameterized.parameters((_TEACHER, 556_416), (_STUDENT, 57_024))
    def test_weight_count_equals_the_report(self, arguments, expected):
        params = _init(models.create("dncnn", **arguments))["params"]
        kernels = [p["kernel"] for n, p in params.items() if n.startswith("conv")]
        self.assertEqual(sum(k.size for k in kernels), expected)

    @parameterized.parameters(
        (_TEACHER, set(range(2, 17))), (_STUDENT, {3, 6}), ({"norm_after": ()}, set())
    )
    def test_batch_norm_follows_the_named_layers(self, arguments, layers):
        variables = _init(models.create("dncnn", **arguments))
        norms = {f"norm{layer}" for layer in layers}
        self.assertEqual(set(variables.get("batch_stats", {})), norms)
        biases = {
            name for name, p in variables["params"].items() if "bias" in p
        } - norms
        without = {f"conv{layer}" for layer in layers}
        convs = {n for n in variables["params"] if n.startswith("conv")}
        self.assertEqual(biases, convs - without)

    @parameterized.product(channels=(1, 3), size=((16, 16), (7, 13), (1, 1)))
    def test_any_size_in_colour_and_luma(self, channels, size):
        model = models.create("dncnn", **_STUDENT, channels=channels)
        x = np.random.default_rng(0).random((2, *size, channels), np.float32)
        y = model.apply(_init(model, channels), x)
        self.assertEqual(y.shape, x.shape)

    def test_starts_as_the_identity(self):
        model = models.create("dncnn", **_STUDENT)
        x = np.random.default_rng(0).random((1, 12, 12, 3), np.float32)
        np.testing.assert_array_equal(model.apply(_init(model), x), np.zeros_like(x))

    def test_mean_is_subtracted_inside(self):
        arguments = {"depth": 3, "width": 4, "norm_after": ()}
        plain = models.create("dncnn", **arguments)
        shifted = models.create("dncnn", **arguments, mean=(0.1, 0.2, 0.3))
        variables = jax.tree.map(
            lambda p: np.random.default_rng(1).normal(size=p.shape).astype(p.dtype),
            _init(plain),
        )
        x = np.random.default_rng(0).random((1, 9, 9, 3), np.float32)
        np.testing.assert_allclose(
            shifted.apply(variables, x),
            plain.apply(variables, x - np.float32([0.1, 0.2, 0.3])),
            rtol=1e-5,
            atol=1e-5,
        )

    def test_computes_in_bfloat16_with_parameters_in_float32(self):
        model = models.create("dncnn", **_STUDENT, dtype="bfloat16")
        variables = _init(model)
        self.assertEqual(
            {str(p.dtype) for p in jax.tree.leaves(variables)}, {"float32"}
        )
        jaxpr = str(jax.make_jaxpr(model.apply)(variables, np.zeros((1, 8, 8, 3))))
        self.assertRegex(jaxpr, r"bf16\[1,8,8,32\] = conv_general_dilated")
        self.assertNotRegex(jaxpr, r"f32\[1,8,8,32\] = conv_general_dilated")

    def test_running_statistics_follow_training(self):
        model = models.create("dncnn", **_STUDENT)
        variables = _init(model)
        x = np.random.default_rng(0).random((2, 8, 8, 3), np.float32)
        _, updates = model.apply(variables, x, train=True, mutable=["batch_stats"])
        for old, new in zip(
            jax.tree.leaves(variables["batch_stats"]),
            jax.tree.leaves(updates["batch_stats"]),
            strict=True,
        ):
            self.assertGreater(np.abs(new - old).max(), 0)


class CreateTest(absltest.TestCase):
    def test_unknown_model_lists_the_known_ones(self):
        with self.assertRaisesRegex(UserError, "'dncn'; choose one of: .*dncnn"):
            models.create("dncn")

    def test_unknown_argument_lists_the_known_ones(self):
        with self.assertRaisesRegex(UserError, "no argument 'widht'.*width"):
            models.create("dncnn", widht=3)


if __name__ == "__main__":
    absltest.main()
