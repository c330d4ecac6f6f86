"""The time budget of runs, with a fake clock."""

import math
import signal
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from absl.testing import absltest, parameterized

from kdsharp.data import sources
from kdsharp.errors import UserError
from kdsharp.training import budget, loop
from tests.training import runs

_BUDGET = {"budget": "1m", "log_every": 1, "optimizer.warmup_steps": 0}
_PEAK = 1e-3


class Clock:
    """A fake clock that advances 10 ms per reading."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self) -> float:
        self.now += 0.01
        return self.now


class BudgetTest(parameterized.TestCase):
    @parameterized.parameters(
        ("90s", 90), ("20m", 1200), ("1h", 3600), ("1h30m", 5400), ("0.5h", 1800)
    )
    def test_durations_are_parsed(self, spec, seconds):
        self.assertEqual(budget.parse(spec), seconds)

    @parameterized.parameters("soon", "20", "m", "-5m", "0s", "20 minutes", "5m1h")
    def test_invalid_duration_is_a_user_error(self, spec):
        with self.assertRaisesRegex(
            UserError, f"config.budget '{spec}' is not a duration"
        ):
            budget.Budget(spec)

    def test_previous_time_counts_but_compilation_does_not(self):
        clock = Clock()
        with mock.patch.object(budget, "time", clock):
            held = budget.Budget("100s")
            held.resume(40.0)
            clock.now += 1000
            held.update()
            self.assertAlmostEqual(held.fraction, 0.4)
            held.start()
            clock.now += 50
            held.update()
            self.assertAlmostEqual(held.remaining, 10, delta=0.1)
            self.assertFalse(held.exhausted)
            clock.now += 20
            held.update()
            self.assertTrue(held.exhausted)
            self.assertEqual(held.fraction, 1.0)

    def test_time_is_measured_without_a_limit(self):
        clock = Clock()
        with mock.patch.object(budget, "time", clock):
            held = budget.Budget("")
            held.start()
            clock.now += 30
            held.update()
            self.assertFalse(held.limited)
            self.assertFalse(held.exhausted)
            self.assertAlmostEqual(held.used, 30, delta=0.1)


class BudgetedRunTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.root = Path(self.create_tempdir().full_path)
        photographs = runs.write_photographs(self.root / "photographs")
        self.workdir = self.root / "run"
        self.workdir.mkdir()
        self.config = runs.small_config(
            photographs, **_BUDGET, **{"optimizer.learning_rate": _PEAK}
        )
        source = self.config.data.source
        self.pictures = {n: sources.create(source, n) for n in ("train", "valid")}
        self.clock = Clock()
        self.enterContext(mock.patch.object(budget, "time", self.clock))

    def _run(self, seconds_a_step: float) -> loop.Run:
        run = loop.Run(self.config, self.workdir, sources=self.pictures)
        take = run._train_on

        def slowly(batches):
            take(batches)
            self.clock.now += seconds_a_step

        run._train_on = slowly
        return run

    @pytest.mark.slow
    def test_learning_rate_is_a_cosine_over_time_and_the_last_step_is_scored(self):
        result = self._run(2.0).train()
        # Steps of two seconds, less the ticks of the clock.
        self.assertBetween(result.steps, 28, 31)
        self.assertBetween(result.seconds, 60, 63)
        curve = runs.curve(self.workdir)
        rates = [r["train/learning_rate"] for r in curve if "train/loss" in r]
        expected = _PEAK * (0.5 + 0.5 * np.cos(np.pi * np.arange(len(rates)) / 30))
        np.testing.assert_allclose(rates, expected, atol=0.02 * _PEAK)
        scored = [r["step"] for r in curve if "valid/psnr" in r]
        self.assertEqual(scored[-1], result.steps)

    @pytest.mark.slow
    def test_resumed_run_uses_the_remaining_time(self):
        told = iter([0] * 9 + [signal.SIGTERM] * 9)
        with (
            mock.patch.object(loop.Run, "_signal", property(lambda _: next(told))),
            self.assertRaises(loop.Interrupted),
        ):
            self._run(2.0).train()
        self.clock.now += 10_000
        result = self._run(4.0).train()
        self.assertBetween(result.seconds, 60, 65)
        # The first ten steps took 20 seconds, the others 40.
        self.assertBetween(result.steps, 18, 21)
        curve = runs.curve(self.workdir)
        rates = {
            r["step"]: r["train/learning_rate"] for r in curve if "train/loss" in r
        }
        third = _PEAK * (0.5 + 0.5 * math.cos(math.pi / 3))
        self.assertAlmostEqual(rates[11], third, delta=0.05 * _PEAK)
        # The budget is used up, so nothing is trained.
        again = self._run(1.0).train()
        self.assertEqual(again.steps, result.steps)


if __name__ == "__main__":
    absltest.main()
