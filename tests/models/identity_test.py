"""Identity initialisation: networks return their input, and still train."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from absl.testing import absltest, parameterized

from kdsharp import models
from kdsharp.errors import UserError
from kdsharp.models import identity
from tests.models import fast

_EXACT = 1e-5
# The error of the piecewise linear logit, less than four grey levels of 255.
_BENT = 3.5 / 255
# Networks of the reports that predict the picture, and tolerances.
_DRAWING = (
    (dict(name="plain_cnn", depth=3, width=32), _EXACT),
    (dict(name="plain_cnn", depth=4, width=16), _EXACT),
    (dict(name="unet"), _EXACT),
    (dict(name="unet", norm=False), _EXACT),
    (dict(name="unet", sigmoid=True), _BENT),
    (dict(name="separable_unet"), _BENT),
    (dict(name="encoder_decoder"), _BENT),
)
# The same families, as small as identity initialisation allows.
_SMALL = (
    dict(name="plain_cnn", depth=3, width=8),
    dict(name="unet", widths=(8, 8), dropout=0.0),
    dict(name="separable_unet", widths=(24, 8)),
    dict(name="encoder_decoder", width=24),
)


def _pictures(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.float32) / 255


def _plain(model, channels: int = 3) -> dict:
    pixels = jax.ShapeDtypeStruct((1, 16, 16, channels), jnp.float32)
    return model.lazy_init(jax.random.key(0), pixels)


class IdentityTest(parameterized.TestCase):
    @parameterized.product(network=_DRAWING, channels=(1, 3))
    @pytest.mark.slow
    def test_network_returns_its_input(self, network, channels):
        arguments, tolerance = network
        model = models.create(**arguments, channels=channels)
        variables = identity.initialise(model, _plain(model, channels))
        # A size that needs padding, with black and white among the pixels.
        x = _pictures(1, 13, 10, channels)
        residual = fast.jit(model.apply)(variables, x)
        np.testing.assert_allclose(residual, 0, atol=tolerance)

    @parameterized.parameters(*_DRAWING)
    @pytest.mark.slow
    def test_tree_and_shapes_do_not_change(self, arguments, _):
        model = models.create(**arguments)
        before = _plain(model)
        after = identity.initialise(model, before)
        shapes = jax.tree.map(np.shape, before), jax.tree.map(np.shape, after)
        self.assertEqual(*shapes)
        changed = jax.tree.map(lambda a, b: np.any(a != b), before, after)
        self.assertTrue(any(jax.tree.leaves(changed)))

    @pytest.mark.slow
    def test_training_mode_returns_photograph_like_batches(self):
        model = models.create("unet", widths=(8, 8, 8))
        variables = identity.initialise(model, _plain(model))
        x = _pictures(4, 16, 16, 3)
        x = (x - x.mean((0, 1, 2))) / x.std((0, 1, 2)) * np.sqrt(0.07) + 0.45
        train = functools.partial(model.apply, train=True, mutable=["batch_stats"])
        residual, _ = fast.jit(train)(variables, x, rngs={"dropout": jax.random.key(0)})
        np.testing.assert_allclose(residual, 0, atol=1e-3)

    @parameterized.parameters(*_SMALL)
    @pytest.mark.slow
    def test_training_changes_every_kernel_and_reduces_the_loss(self, **arguments):
        model = models.create(**arguments)
        sharp = _pictures(2, 16, 16, 3)
        # The target mixes each pixel with its neighbour.
        blurred = 0.6 * sharp + 0.4 * np.roll(sharp, 1, axis=2)
        first = identity.initialise(model, _plain(model))
        optimizer = optax.adam(1e-3)

        def loss_of(params):
            variables = {**first, "params": params}
            return jnp.mean(
                jnp.square(blurred + model.apply(variables, blurred) - sharp)
            )

        @fast.jit
        def step(params, memory):
            loss, grads = jax.value_and_grad(loss_of)(params)
            updates, memory = optimizer.update(grads, memory)
            return optax.apply_updates(params, updates), memory, loss, grads

        params, memory = first["params"], optimizer.init(first["params"])
        losses = []
        for _ in range(40):
            params, memory, loss, grads = step(params, memory)
            losses.append(float(loss))
        begin = np.mean(np.square(blurred - sharp))
        np.testing.assert_allclose(losses[0], begin, rtol=0.1)
        self.assertLess(losses[-1], 0.8 * begin)
        for path, gradient in jax.tree.leaves_with_path(grads):
            if path[-1].key == "kernel":
                # Filters with zero output weights change from the second step on.
                learning = np.any(gradient, axis=tuple(range(gradient.ndim - 1)))
                self.assertGreater(np.mean(learning), 0.6, path)

    @parameterized.parameters("dncnn", "light_cnn", "swinir", "real_time")
    def test_residual_networks_are_not_changed(self, name):
        variables = {"params": {"conv1": {"kernel": np.ones((3, 3, 3, 8))}}}
        self.assertIs(identity.initialise(models.create(name), variables), variables)

    @parameterized.parameters(
        (dict(name="plain_cnn", width=2), "PlainCNN of 2 filters.* it needs 3"),
        (dict(name="separable_unet", widths=(8, 8)), "of 8 filters.* it needs 21"),
        (dict(name="encoder_decoder", width=8), "of 8 filters.* it needs 21"),
    )
    @pytest.mark.slow
    def test_too_few_filters_are_a_user_error(self, arguments, said):
        model = models.create(**arguments)
        with self.assertRaisesRegex(UserError, said):
            identity.initialise(model, _plain(model))


if __name__ == "__main__":
    absltest.main()
