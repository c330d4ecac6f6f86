"""The weighted sum of loss terms, against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from kdsharp.core import objectives
from kdsharp.core.objectives import Lesson, Outcome
from kdsharp.errors import UserError


def _batch(seed: int = 0) -> tuple[Outcome, Lesson]:
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=(2, 13, 14, 3)).astype(np.float32) for _ in range(4)]
    return Outcome(*arrays[:3]), Lesson(arrays[3])


def _mse(a, b) -> float:
    return np.mean(np.square(np.asarray(a, np.float64) - b))


class ObjectivesTest(parameterized.TestCase):
    def test_loss_is_the_weighted_sum_and_terms_are_unweighted(self):
        outcome, lesson = _batch()
        create = objectives.create({"mse": 0.25, "residual_kd": 2.0}, [1.0])
        loss, terms = create(outcome, [lesson])
        to_truth = _mse(outcome.blurred + outcome.residual, outcome.sharp)
        to_teacher = _mse(outcome.residual, lesson.residual)
        np.testing.assert_allclose(loss, 0.25 * to_truth + 2 * to_teacher, rtol=1e-6)
        np.testing.assert_allclose(terms["mse"], to_truth, rtol=1e-6)
        np.testing.assert_allclose(terms["residual_kd"], to_teacher, rtol=1e-6)

    def test_teachers_are_weighted_by_their_shares(self):
        (outcome, one), (_, other) = _batch(), _batch(1)
        objective = objectives.create({"l1_kd": 1.0}, [0.75, 0.25])
        loss, _ = objective(outcome, [one, other])
        expected = sum(
            share * np.mean(np.abs(outcome.residual - lesson.residual))
            for share, lesson in ((0.75, one), (0.25, other))
        )
        np.testing.assert_allclose(loss, expected, rtol=1e-6)

    def test_gradient_of_residual_kd_is_that_of_a_squared_error(self):
        outcome, lesson = _batch()
        objective = objectives.create({"residual_kd": 1.0}, [1.0])
        grad = jax.grad(lambda r: objective(outcome._replace(residual=r), [lesson])[0])(
            jnp.asarray(outcome.residual)
        )
        expected = 2 * (outcome.residual - lesson.residual) / outcome.residual.size
        np.testing.assert_allclose(grad, expected, rtol=1e-4, atol=1e-9)

    def test_every_term_vanishes_for_a_perfect_student_and_teacher(self):
        outcome, _ = _batch()
        outcome = outcome._replace(residual=outcome.sharp - outcome.blurred)
        outcome = outcome._replace(perceive=lambda x: x[:, ::2, ::2], frames=2)
        terms = [t for t in objectives.TERMS if t not in ("feature_kd", "affinity_kd")]
        # The pictures are too small for MS-SSIM, and there are no views.
        terms = [t for t in terms if not t.startswith(("views", "ms_ssim"))]
        objective = objectives.create(dict.fromkeys(terms, 1.0), [1.0])
        _, values = objective(outcome, [Lesson(outcome.residual)])
        for name, value in values.items():
            self.assertLess(value, 2e-3, name)

    def test_weight_zero_disables_a_term(self):
        outcome, _ = _batch()
        _, terms = objectives.create({"mse": 1.0, "residual_kd": 0.0})(outcome)
        self.assertEqual(set(terms), {"mse"})

    @parameterized.parameters(
        ({"perceptuel": 1.0}, "unknown loss term 'perceptuel'.*mse, .*residual_kd"),
        ({"mse_kd": 1.0}, "unknown loss term 'mse_kd'.*residual_kd"),
        ({}, "no term"),
        ({"l1": "x"}, "'l1' has weight 'x', which is not a number"),
        ({"mse": 1.0, "residual_kd": 1.0}, "'residual_kd' needs .*teacher"),
        ({"affinity_kd": 1.0}, "'affinity_kd' needs .*teacher"),
    )
    def test_invalid_objective_is_a_user_error(self, weights, message):
        with self.assertRaisesRegex(UserError, message):
            objectives.create(weights)


if __name__ == "__main__":
    absltest.main()
