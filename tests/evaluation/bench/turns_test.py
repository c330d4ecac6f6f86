"""Timing by turns."""

import time

from absl.testing import absltest

from kdsharp.evaluation.bench import turns


class TurnsTest(absltest.TestCase):
    def test_turns_alternate_after_a_warm_up(self):
        taken = []

        def contender(name: str) -> turns.Turn:
            return lambda: taken.append(name) or len(taken)

        measured = turns.alternate({name: contender(name) for name in "ab"}, 2)
        self.assertEqual(taken, list("ababab"))
        self.assertEqual(measured, {"a": [3, 5], "b": [4, 6]})

    def test_turn_measures_the_time_of_its_work(self):
        spans = []

        def work():
            began = time.perf_counter()
            time.sleep(0.05)
            spans.append(time.perf_counter() - began)

        began = time.perf_counter()
        seconds = turns.timed(work)()
        whole = time.perf_counter() - began
        self.assertBetween(seconds, spans[0], whole)
        self.assertGreaterEqual(spans[0], 0.05)


if __name__ == "__main__":
    absltest.main()
