"""Losses relative to the blurred picture, against skimage's PSNR."""

import jax
import numpy as np
import skimage.metrics
from absl.testing import absltest

from kdsharp.core import objectives
from kdsharp.core.objectives import Outcome, comparisons


def _outcome() -> Outcome:
    """Two pictures: the first is restored for the better, the second for the worse."""
    rng = np.random.default_rng(0)
    sharp = rng.uniform(0.2, 0.8, (2, 16, 16, 1)).astype(np.float32)
    error = rng.normal(0, 0.05, sharp.shape).astype(np.float32)
    change = np.array([-0.5, 0.7], np.float32)[:, None, None, None] * error
    return Outcome(sharp, sharp + error, change)


def _psnr(picture, sharp) -> float:
    return skimage.metrics.peak_signal_noise_ratio(sharp, picture, data_range=1)


class GainTest(absltest.TestCase):
    def test_is_the_mean_gain_in_psnr(self):
        outcome = _outcome()
        won = [
            _psnr(outcome.restored[n], outcome.sharp[n])
            - _psnr(outcome.blurred[n], outcome.sharp[n])
            for n in range(2)
        ]
        self.assertGreater(won[0], 5)
        self.assertLess(won[1], -4)
        # The level raises errors of 26 dB by 4 %, those of 32 dB by 16 %.
        np.testing.assert_allclose(
            comparisons.gain(outcome), -np.mean(won), rtol=0, atol=0.6
        )

    def test_pictures_of_35_decibels_count_more_than_with_psnr(self):
        rng = np.random.default_rng(0)
        sharp = rng.uniform(0.2, 0.8, (1, 16, 16, 1)).astype(np.float32)
        error = rng.normal(0, 10 ** (-35 / 20), sharp.shape).astype(np.float32)
        outcome = Outcome(sharp, sharp + error, -0.1 * error)
        won = -np.diff(
            [_psnr(x[0], sharp[0]) for x in (outcome.restored, sharp + error)]
        )
        by_psnr = objectives.create({"psnr": 1.0})
        unchanged = outcome._replace(residual=np.zeros_like(error))
        by_gain = -comparisons.gain(outcome)
        self.assertBetween(by_gain / won[0], 0.7, 0.8)
        self.assertLess(by_psnr(unchanged)[0] - by_psnr(outcome)[0], 0.3 * won[0])


class HarmTest(absltest.TestCase):
    def test_only_decibels_lost_count(self):
        outcome = _outcome()
        lost = _psnr(outcome.blurred[1], outcome.sharp[1])
        lost -= _psnr(outcome.restored[1], outcome.sharp[1])
        self.assertGreater(lost, 4)
        np.testing.assert_allclose(comparisons.harm(outcome), lost / 2, rtol=0.01)

    def test_a_gain_has_no_gradient(self):
        outcome = _outcome()
        grad = jax.grad(lambda r: comparisons.harm(outcome._replace(residual=r)))(
            outcome.residual
        )
        self.assertEqual(np.abs(grad[0]).max(), 0)
        self.assertGreater(np.abs(grad[1]).max(), 0)

    def test_returning_a_perfect_input_unchanged_costs_nothing(self):
        outcome = _outcome()
        outcome = Outcome(outcome.sharp, outcome.sharp, np.zeros_like(outcome.sharp))
        grad = jax.grad(lambda r: comparisons.harm(outcome._replace(residual=r)))(
            outcome.residual
        )
        self.assertEqual(comparisons.harm(outcome), 0)
        self.assertTrue(np.isfinite(grad).all())

    def test_is_a_term_without_a_teacher(self):
        objective = objectives.create({"psnr": 1.0, "harm": 2.0})
        loss, terms = objective(_outcome())
        np.testing.assert_allclose(loss, terms["psnr"] + 2 * terms["harm"], rtol=1e-6)


class FlickerTest(absltest.TestCase):
    def test_is_the_change_that_the_sharp_windows_do_not_have(self):
        rng = np.random.default_rng(1)
        # Two windows of four frames: the first is calmed, the second stirred up.
        sharp = rng.uniform(0.2, 0.8, (8, 16, 16, 1)).astype(np.float32)
        error = rng.normal(0, 0.05, sharp.shape).astype(np.float32)
        change = np.repeat(np.float32([-0.8, 0.7]), 4)[:, None, None, None] * error
        outcome = Outcome(sharp, sharp + error, change, frames=4)
        # Of 0.05, 1.7 times as much is left in the second, which may have 0.8.
        wanted = 255 * (1.7 - 0.8) * np.std(np.diff(error[4:], axis=0)) / 2
        np.testing.assert_allclose(comparisons.flicker(outcome), wanted, rtol=1e-3)

    def test_a_constant_error_does_not_flicker(self):
        rng = np.random.default_rng(1)
        sharp = rng.uniform(0.2, 0.8, (4, 16, 16, 1)).astype(np.float32)
        blurred = sharp + rng.normal(0, 0.05, sharp.shape).astype(np.float32)
        outcome = Outcome(sharp, blurred, sharp - blurred + 0.2, frames=4)
        self.assertEqual(comparisons.flicker(outcome), 0)


if __name__ == "__main__":
    absltest.main()
