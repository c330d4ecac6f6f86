"""All networks: parameter counts, shapes, dtypes and training."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from absl.testing import absltest, parameterized

from kdsharp import models
from kdsharp.errors import UserError
from kdsharp.models import swinir
from kdsharp.models.vgg import VGG16Features
from tests.models import fast

# Each family at its smallest sensible size.
_SMALL = (
    dict(name="dncnn", depth=4, width=8),
    dict(name="plain_cnn", depth=3, width=8),
    dict(name="light_cnn", widths=(8, 8)),
    dict(name="unet", widths=(4, 8, 8)),
    dict(name="separable_unet", widths=(8, 8)),
    dict(name="encoder_decoder", width=8),
    dict(name="swinir", depths=(2,), width=8, heads=(2,), window=4),
    dict(name="real_time", depth=3, width=8),
)


def _shapes(model, channels: int = 3) -> dict:
    x = np.zeros((1, 16, 16, channels), np.float32)
    return jax.eval_shape(model.init, jax.random.key(0), x)


def _count(tree) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def _pictures(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape, np.float32)


class CountTest(parameterized.TestCase):
    """Parameter counts from the reports, or computed by hand from the layers."""

    @parameterized.parameters(
        (dict(name="plain_cnn"), 896 + 9_248 + 867),
        (dict(name="plain_cnn", width=64), 1_792 + 36_928 + 1_731),
        (dict(name="plain_cnn", width=16, depth=4), 448 + 2 * 2_320 + 435),
        (dict(name="light_cnn"), 864 + 2 * 9_216 + 3 * 64 + 867),
        (dict(name="real_time", channels=1), 592 + 3 * 2_320 + 580),
        (dict(name="unet"), 467_875),
        (dict(name="separable_unet"), 20_190),
        (dict(name="encoder_decoder"), 503_683),
        (dict(name="swinir"), 11_504_163),
        (dict(name="swinir", **swinir.LIGHT), 905_283),
    )
    def test_parameters(self, arguments, expected):
        model = models.create(**arguments)
        params = _shapes(model, model.channels)["params"]
        self.assertEqual(_count(params), expected)

    def test_unet_with_its_statistics(self):
        self.assertEqual(_count(_shapes(models.create("unet"))), 469_155)

    def test_vgg16_up_to_its_third_block(self):
        convolutions = (3, 64), (64, 64), (64, 128), (128, 128), (128, 256)
        convolutions += (256, 256), (256, 256)
        expected = sum(9 * i * o + o for i, o in convolutions)
        self.assertEqual(_count(_shapes(VGG16Features())), expected)


class ContractTest(parameterized.TestCase):
    @parameterized.product(arguments=_SMALL, channels=(1, 3))
    @pytest.mark.slow
    def test_any_size_in_colour_and_luma(self, arguments, channels):
        model = models.create(**arguments, channels=channels)
        variables = _shapes(model, channels)
        for size in ((16, 16), (13, 22), (1, 3)):
            x = jax.ShapeDtypeStruct((2, *size, channels), jnp.float32)
            y = jax.eval_shape(model.apply, variables, x)
            self.assertEqual((y.shape, y.dtype), (x.shape, x.dtype))

    @parameterized.parameters(*_SMALL)
    def test_computes_in_bfloat16_with_parameters_in_float32(self, **arguments):
        model = models.create(**arguments, dtype="bfloat16")
        variables = _shapes(model)
        dtypes = {str(leaf.dtype) for leaf in jax.tree.leaves(variables)}
        self.assertEqual(dtypes, {"float32"})
        jaxpr = str(jax.make_jaxpr(model.apply)(variables, np.zeros((1, 8, 8, 3))))
        self.assertRegex(jaxpr, r"bf16\[1,\d+,\d+,8\] = conv_general_dilated")
        self.assertNotRegex(jaxpr, r"f32\[1,\d+,\d+,8\] = conv_general_dilated")

    @parameterized.parameters(
        dict(name="plain_cnn"),
        dict(name="unet"),
        dict(name="separable_unet"),
        dict(name="encoder_decoder"),
    )
    def test_residual_is_the_predicted_picture_minus_the_input(self, name):
        model = models.create(name)
        # With zero weights, the predicted picture is the last bias.
        variables = jax.tree.map(lambda leaf: np.zeros(leaf.shape), _shapes(model))
        drawn = 0.5 if name in ("separable_unet", "encoder_decoder") else 0.0
        x = _pictures(1, 6, 7, 3)
        y = fast.jit(model.apply)(variables, x)
        np.testing.assert_allclose(y, drawn - x, atol=1e-6)

    @parameterized.parameters(*_SMALL)
    @pytest.mark.slow
    def test_training_reduces_the_loss(self, **arguments):
        model = models.create(**arguments)
        sharp = 0.3 * _pictures(2, 8, 8, 3)
        blurred = 0.3 + 0.5 * sharp
        variables = fast.jit(model.init)(jax.random.key(1), blurred)
        optimizer = optax.adam(1e-2)

        def loss_of(params, stats, key):
            residual, updates = model.apply(
                {"params": params, "batch_stats": stats},
                blurred,
                train=True,
                mutable=["batch_stats"],
                rngs={"dropout": key},
            )
            loss = jnp.mean(jnp.square(blurred + residual - sharp))
            return loss, updates.get("batch_stats", {})

        @fast.jit
        def step(params, stats, memory, number):
            (loss, stats), grads = jax.value_and_grad(loss_of, has_aux=True)(
                params, stats, jax.random.key(number)
            )
            updates, memory = optimizer.update(grads, memory)
            finite = jax.tree.reduce(
                jnp.logical_and, jax.tree.map(lambda g: jnp.isfinite(g).all(), grads)
            )
            return optax.apply_updates(params, updates), stats, memory, loss, finite

        params, stats = variables["params"], variables.get("batch_stats", {})
        memory = fast.jit(optimizer.init)(params)
        losses = []
        for number in range(20):
            params, stats, memory, loss, finite = step(params, stats, memory, number)
            losses.append(loss)
            self.assertTrue(finite)
        self.assertLess(losses[-1], 0.6 * losses[0])
        if arguments["name"] in ("dncnn", "light_cnn", "swinir"):
            # Residual networks start as the identity.
            begin = np.mean(np.square(blurred - sharp))
            np.testing.assert_allclose(losses[0], begin, rtol=1e-6)


class SwinIRTest(absltest.TestCase):
    @pytest.mark.slow
    def test_rematerialisation_does_not_change_gradients(self):
        arguments = dict(_SMALL[-2])
        x = _pictures(1, 8, 8, 3)

        def gradient(remat):
            model = models.create(**arguments | {"remat": remat})
            random = np.random.default_rng(0)
            variables = jax.tree.map(
                lambda leaf: random.normal(0, 0.3, leaf.shape).astype(np.float32),
                _shapes(model),
            )
            loss = fast.jit(jax.grad(lambda v: jnp.mean(model.apply(v, x) ** 2)))
            return jax.tree.map(np.asarray, loss(variables))

        plain = gradient(False)
        largest = max(np.abs(leaf).max() for leaf in jax.tree.leaves(plain))
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5 * largest),
            plain,
            gradient(True),
        )

    def test_unequal_numbers_of_depths_and_heads_are_a_user_error(self):
        with self.assertRaisesRegex(UserError, "6 depths but 4 heads"):
            _shapes(models.create("swinir", heads=(6,) * 4))

    def test_windows_are_row_by_row_and_invertible(self):
        x = np.arange(4 * 6.0).reshape(1, 4, 6, 1)
        windows = swinir.to_windows(x, 2)
        np.testing.assert_array_equal(windows[0, 0, :, 0], [0, 1, 6, 7])
        np.testing.assert_array_equal(windows[0, 5, :, 0], [16, 17, 22, 23])
        np.testing.assert_array_equal(swinir.from_windows(windows, 2, 4, 6), x)


if __name__ == "__main__":
    absltest.main()
