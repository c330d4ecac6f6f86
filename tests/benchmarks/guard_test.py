"""The guard against lost speed: what counts as lost, and what is kept."""

import argparse
import json
import pathlib

from absl.testing import absltest, parameterized

from benchmarks import guard, record
from kdsharp.errors import UserError

_PROCESSOR = record.machine()["processor"]


class GuardTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self._file = pathlib.Path(self.create_tempdir()) / "ratios.json"
        self.enter_context(absltest.mock.patch.object(guard, "RATIOS", self._file))
        # Ours takes half the peer's time: each "work" returns the seconds it took.
        self.enter_context(
            absltest.mock.patch.object(guard, "timed", lambda work: work)
        )
        pairs = {"half": (lambda: 0.005, lambda: 0.010)}
        self.enter_context(absltest.mock.patch.object(guard, "_pairs", lambda: pairs))

    def _measure(self, *, keep: bool = False) -> dict:
        return guard.measure(argparse.Namespace(keep=keep))

    def test_what_is_kept_is_compared_and_other_processors_stay(self):
        self._file.write_text(json.dumps({"another": {"half": 9.0}}))
        self._measure(keep=True)
        kept = json.loads(self._file.read_text())
        self.assertEqual(kept["another"], {"half": 9.0})
        self.assertEqual(kept[_PROCESSOR], {"half": 2.0})
        self.assertIn("half", guard.report(self._measure()))

    @parameterized.parameters((2.3, False), (2.4, True))
    def test_slower_is_an_error_only_beyond_the_margin(self, kept, fails):
        self._file.write_text(json.dumps({_PROCESSOR: {"half": kept}}))
        results = self._measure()
        if not fails:
            guard.report(results)
            return
        with self.assertRaisesRegex(
            UserError, "slower than kept by more than 15%.*half"
        ):
            guard.report(results)

    def test_a_processor_that_nothing_is_kept_for_passes(self):
        self.assertRegex(guard.report(self._measure()), "nothing is kept for")

    def test_one_good_run_of_three_is_enough(self):
        self._file.write_text(json.dumps({_PROCESSOR: {"half": 2.0}}))
        runs = iter([1.0, 1.1, 1.9])
        with absltest.mock.patch.object(
            guard, "_ratios", lambda pairs: dict.fromkeys(pairs, next(runs))
        ):
            results = self._measure()
        self.assertEmpty(results["slower"])
        self.assertEqual(results["ratios"], {"half": 1.9})


if __name__ == "__main__":
    absltest.main()
