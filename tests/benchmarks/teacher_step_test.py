"""The breakdown of a teacher's step: counted operations and measured parts."""

import math
import threading

import pytest
from absl.testing import absltest

from benchmarks import programs, teacher_parts, teacher_step


class TeacherStepTest(absltest.TestCase):
    def test_operations_are_those_of_the_convolutions(self):
        found = teacher_parts.roofline(
            teacher_parts.Size(), 128, "bfloat16", 790e12, 3e12
        )
        # Three passes, without the gradient of the picture, which is not needed.
        weights = 9 * (15 * 3 * 64 * 64 + 3 * 64 * 3 + 2 * 3 * 64)
        expected = 2 * 128 * 64 * 64 * weights / 1e9
        self.assertAlmostEqual(found["gigaflop"] / expected, 1, delta=0.02)
        # At the peak rate, unless memory is slower, and 15 norms of 8 passes.
        self.assertGreater(found["products_ms"], expected / 790)
        features = 128 * 64 * 64 * 64 * 2
        self.assertAlmostEqual(found["norms_ms"], 15 * 8 * features / 3e9, delta=0.01)

    @pytest.mark.slow
    def test_quick_survey_measures_every_part(self):
        result = teacher_step.survey(teacher_parts.QUICK, math.inf)
        self.assertEmpty(result["left_out"])
        measured = {(s["batch"], s["dtype"], s["variant"]) for s in result["steps"]}
        self.assertEqual(
            measured,
            {
                (4, "bfloat16", ""),
                (2, "bfloat16", ""),
                (4, "float32", ""),
                (4, "bfloat16", "without batch norm"),
                (4, "bfloat16", "sums in any order"),
            },
        )
        for held in result["steps"]:
            self.assertGreater(held["milliseconds"], 0)
            self.assertGreater(held["gigabytes"], 0)
            self.assertAlmostEqual(
                held["of_the_roofline"] * held["milliseconds"], held["roofline_ms"]
            )
        # One of three layers has a norm, and the optimizer is Muon.
        times = {name: held["times"] for name, held in result["pieces"].items()}
        self.assertEqual(times["batch norm"], 1)
        self.assertEqual(times["update by Muon"], 1)
        self.assertEqual(times["update by Adam"], 0)
        words = teacher_step.report(result)
        self.assertIn("| 4, bfloat16, without batch norm", words)

    def test_parts_without_time_left_are_reported(self):
        enough = threading.Event()
        self.addCleanup(enough.set)

        def slow(x):
            enough.wait()
            return x

        works = {"a": programs.Work(slow, (1.0,))}
        self.assertEmpty(programs.compile_all(works, deadline=-math.inf))


if __name__ == "__main__":
    absltest.main()
