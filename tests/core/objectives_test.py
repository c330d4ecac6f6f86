"""Loss terms against what NumPy makes of the same arrays."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from kdsharp.core import objectives
from kdsharp.errors import UserError


def _outcome(seed: int = 0) -> objectives.Outcome:
    rng = np.random.default_rng(seed)
    return objectives.Outcome(
        *(rng.normal(size=(2, 5, 7, 3)).astype(np.float32) for _ in range(4))
    )


class ObjectivesTest(parameterized.TestCase):
    def test_mse_is_of_the_restored_picture(self):
        o = _outcome()
        expected = np.mean((o.blurred + o.residual - o.sharp) ** 2)
        np.testing.assert_allclose(objectives.mse(o), expected, rtol=1e-6)

    def test_residual_kd_is_of_the_two_residuals(self):
        o = _outcome()
        expected = np.mean((o.residual - o.teacher_residual) ** 2)
        np.testing.assert_allclose(objectives.residual_kd(o), expected, rtol=1e-6)

    def test_terms_are_weighted_and_told_unweighted(self):
        o = _outcome()
        loss, terms = objectives.create({"mse": 0.25, "residual_kd": 2.0})(o)
        to_truth = np.mean((o.blurred + o.residual - o.sharp) ** 2)
        to_teacher = np.mean((o.residual - o.teacher_residual) ** 2)
        np.testing.assert_allclose(loss, 0.25 * to_truth + 2 * to_teacher, rtol=1e-6)
        np.testing.assert_allclose(terms["mse"], to_truth, rtol=1e-6)
        np.testing.assert_allclose(terms["residual_kd"], to_teacher, rtol=1e-6)

    def test_gradient_of_kd_is_that_of_a_square(self):
        o = _outcome()
        grad = jax.grad(lambda r: objectives.residual_kd(o._replace(residual=r)))(
            jnp.asarray(o.residual)
        )
        expected = 2 * (o.residual - o.teacher_residual) / o.residual.size
        np.testing.assert_allclose(grad, expected, rtol=1e-5)

    def test_a_weight_of_zero_switches_a_term_off(self):
        _, terms = objectives.create({"mse": 1.0, "residual_kd": 0.0}, False)(
            _outcome()
        )
        self.assertEqual(set(terms), {"mse"})

    @parameterized.parameters(
        ({"perceptuel": 1.0}, True, "unknown loss term 'perceptuel'.*mse, residual_kd"),
        ({}, True, "no term"),
        ({"mse": 1.0, "residual_kd": 1.0}, False, "'residual_kd' needs .*teacher"),
    )
    def test_a_wrong_objective_is_told(self, weights, has_teacher, message):
        with self.assertRaisesRegex(UserError, message):
            objectives.create(weights, has_teacher)


if __name__ == "__main__":
    absltest.main()
