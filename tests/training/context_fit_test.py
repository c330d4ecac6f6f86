"""A context that is added to a trained network learns from its errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import absltest

from kdsharp import models
from kdsharp.core.objectives import comparisons
from kdsharp.models.real_time import Context
from kdsharp.training import context_fit
from tests.export import random_networks

_ARGUMENTS = dict(name="real_time", channels=1, width=8, depth=3, context=12)


def _pictures(count: int) -> np.ndarray:
    return np.random.default_rng(0).random((count, 24, 32, 1), np.float32)


class MeasureTest(absltest.TestCase):
    def test_forms_give_the_error_of_the_network_with_any_gains(self):
        model = models.create(**_ARGUMENTS)
        params = random_networks.variables(_ARGUMENTS)["params"]
        sharp, blurred = _pictures(4).reshape(2, 2, 24, 32, 1)
        context = Context(model.width, model.context)
        forms = context_fit.measure(model, context, params, sharp, blurred)
        gains = np.random.default_rng(1).random((2, 8), np.float32) * 2
        residual = model.apply({"params": params}, blurred, gains=gains)
        wanted = np.mean((blurred + residual - sharp) ** 2, axis=(1, 2, 3))
        crossed = np.einsum("ng,ngh,nh->n", gains, forms.products, gains)
        error = forms.error - 2 * np.sum(forms.sums * gains, axis=1) + crossed
        np.testing.assert_allclose(error, wanted, rtol=1e-4)
        # The gains that the context computes, from the same statistics.
        own = model.apply({"params": params}, blurred)
        lost = context_fit.lost_decibels(
            context, params["context"], forms, forms.statistics
        )
        after, before = (
            np.mean((x - sharp) ** 2, axis=(1, 2, 3)) for x in (blurred + own, blurred)
        )
        np.testing.assert_allclose(
            lost, comparisons.decibels_lost(after, before), atol=1e-3
        )


class LearnTest(absltest.TestCase):
    @pytest.mark.slow
    def test_gains_follow_what_helps_each_picture(self):
        context = Context(2, 12)
        params = context.init(jax.random.key(0), _pictures(1))["params"]
        rng = np.random.default_rng(0)
        statistics = rng.normal(size=(2000, 24)).astype(np.float32)
        # The residual is right in the first half of the pictures, else wrong.
        good = statistics[:, 3] > 0
        statistics[:, 3] = np.where(good, 2, -2)
        error = 1e-3
        forms = context_fit.Forms(
            statistics,
            products=np.tile(error * np.eye(2, dtype=np.float32), (2000, 1, 1)),
            sums=np.where(good, 0.6, -0.6)[:, None] * np.full((1, 2), error),
            error=np.full(2000, error, np.float32),
            input=np.full(2000, error, np.float32),
        )
        found = context_fit.learn(context, params, forms, jax.random.key(0))
        lost = np.asarray(
            context_fit.lost_decibels(context, found, forms, jnp.asarray(statistics))
        )
        # The best gains, 0.6 each, leave 28 % of the error.
        self.assertLess(lost[good].mean(), 10 * np.log10(0.28) + 0.3)
        self.assertLess(np.abs(lost[~good]).max(), 0.1)
        np.testing.assert_array_equal(found["look"], params["look"])


if __name__ == "__main__":
    absltest.main()
