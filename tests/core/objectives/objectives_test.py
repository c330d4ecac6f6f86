"""The sum of terms, against what NumPy makes of the same arrays."""

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
    def test_terms_are_weighted_and_told_unweighted(self):
        outcome, lesson = _batch()
        create = objectives.create({"mse": 0.25, "residual_kd": 2.0}, [1.0])
        loss, terms = create(outcome, [lesson])
        to_truth = _mse(outcome.blurred + outcome.residual, outcome.sharp)
        to_teacher = _mse(outcome.residual, lesson.residual)
        np.testing.assert_allclose(loss, 0.25 * to_truth + 2 * to_teacher, rtol=1e-6)
        np.testing.assert_allclose(terms["mse"], to_truth, rtol=1e-6)
        np.testing.assert_allclose(terms["residual_kd"], to_teacher, rtol=1e-6)

    def test_teachers_have_their_shares(self):
        (outcome, one), (_, other) = _batch(), _batch(1)
        objective = objectives.create({"l1_kd": 1.0}, [0.75, 0.25])
        loss, _ = objective(outcome, [one, other])
        expected = sum(
            share * np.mean(np.abs(outcome.residual - lesson.residual))
            for share, lesson in ((0.75, one), (0.25, other))
        )
        np.testing.assert_allclose(loss, expected, rtol=1e-6)

    def test_gradient_of_kd_is_that_of_a_square(self):
        outcome, lesson = _batch()
        objective = objectives.create({"residual_kd": 1.0}, [1.0])
        grad = jax.grad(lambda r: objective(outcome._replace(residual=r), [lesson])[0])(
            jnp.asarray(outcome.residual)
        )
        expected = 2 * (outcome.residual - lesson.residual) / outcome.residual.size
        np.testing.assert_allclose(grad, expected, rtol=1e-4, atol=1e-9)

    def test_a_perfect_student_of_a_perfect_teacher_has_nothing_to_learn(self):
        outcome, _ = _batch()
        outcome = outcome._replace(residual=outcome.sharp - outcome.blurred)
        outcome = outcome._replace(perceive=lambda x: x[:, ::2, ::2])
        terms = [t for t in objectives.TERMS if t not in ("feature_kd", "affinity_kd")]
        # Of several scales on so small a picture there are not enough.
        terms = [t for t in terms if not t.startswith(("views", "ms_ssim"))]
        objective = objectives.create(dict.fromkeys(terms, 1.0), [1.0])
        _, values = objective(outcome, [Lesson(outcome.residual)])
        for name, value in values.items():
            self.assertLess(value, 2e-3, name)

    def test_a_weight_of_zero_switches_a_term_off(self):
        outcome, _ = _batch()
        _, terms = objectives.create({"mse": 1.0, "residual_kd": 0.0})(outcome)
        self.assertEqual(set(terms), {"mse"})

    @parameterized.parameters(
        ({"perceptuel": 1.0}, "unknown loss term 'perceptuel'.*mse, .*residual_kd"),
        ({"mse_kd": 1.0}, "unknown loss term 'mse_kd'.*residual_kd"),
        ({}, "no term"),
        ({"l1": "x"}, "'l1' has the weight 'x', no number"),
        ({"mse": 1.0, "residual_kd": 1.0}, "'residual_kd' needs .*teacher"),
        ({"affinity_kd": 1.0}, "'affinity_kd' needs .*teacher"),
    )
    def test_a_wrong_objective_is_told(self, weights, message):
        with self.assertRaisesRegex(UserError, message):
            objectives.create(weights)


if __name__ == "__main__":
    absltest.main()
