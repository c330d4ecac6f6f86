"""The report finds the truth that synthetic raters followed, and says what they are."""

import csv
import pathlib
import sqlite3

import numpy as np
from absl.testing import absltest

from kdsharp.study import answers, results, synthetic
from tests.cli.running import run
from tests.study import studies
from tests.study.statistics_test import by_hand

_MODELS = ("input", "rt-s-call", "dncnn8-call", "reference")
_TRUTH = {"input": 1.9, "rt-s-call": 3.0, "dncnn8-call": 3.0, "reference": 4.0}


class ReportTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = pathlib.Path(absltest.get_default_test_tmpdir()) / "report_test"
        cls.folder.mkdir(parents=True, exist_ok=True)
        cls.enterClassContext(_cleared(cls.folder))
        cls.study = studies.make(cls.folder, "--repeats", 3, models=_MODELS)
        synthetic.play(cls.study, 30, truth=_TRUTH, careless=4, seed=7)
        cls.status, cls.told, cls.complaints = run("mos", "report", cls.study)

    def test_means_hold_the_truth(self):
        found = results.of(self.study)
        self.assertEqual(found.raters, 34)
        for scale in found.scales.values():
            for model, truth in _TRUTH.items():
                mean = scale.means[model]
                # Pictures move the truth by a fifth at most, and scores end at 5.
                self.assertLess(mean.low - 0.25, truth)
                self.assertGreater(mean.high + 0.25, truth)
                self.assertLess(mean.high - mean.low, 0.6)
            for model, difference in scale.differences.items():
                truth = _TRUTH[model] - _TRUTH["reference"]
                self.assertLess(difference.low - 0.15, truth)
                self.assertGreater(difference.high + 0.15, truth)

    def test_pairs_differ_where_the_truth_does(self):
        for scale in results.of(self.study).scales.values():
            for pair in scale.pairs:
                apart = _TRUTH[pair.first] - _TRUTH[pair.second]
                self.assertEqual(pair.p < 0.05, apart != 0, pair)
                self.assertEqual(
                    pair.difference > 0, apart > 0, pair
                ) if apart else None

    def test_who_is_left_out_is_whom_the_recommendation_leaves_out(self):
        with (self.study / "report" / "answers.csv").open() as file:
            rows = [row for row in csv.DictReader(file) if row["training"] == "0"]
        some = 0
        for name, scale in results.of(self.study).scales.items():
            given = {
                (int(row["rater"]), row["content"] + row["model"]): float(row["score"])
                for row in rows
                if row["scale"] == name and row["again"] == "0"
            }
            shown = sorted({key for _, key in given})
            scores = [[given[rater, key] for key in shown] for rater in range(34)]
            self.assertEqual(scale.left_out, by_hand(np.array(scores)))
            some += len(scale.left_out)
        self.assertGreater(some, 0)

    def test_says_that_nobody_gave_these_opinions(self):
        self.assertEqual((self.status, self.complaints), (0, ""))
        report = self.study / "report"
        self.assertIn("SYNTHETIC", self.told)
        self.assertEqual((report / "report.md").read_text() + "\n", self.told)
        for name, count in (("means.csv", 12), ("answers.csv", 34 * 3 * 14)):
            with (report / name).open() as file:
                rows = list(csv.DictReader(file))
            self.assertLen(rows, count)
            self.assertEqual({row["synthetic"] for row in rows}, {"1"})
        self.assertEqual((report / "means.png").read_bytes()[1:4], b"PNG")

    def test_repeats_say_how_steady_raters_are(self):
        repeats = results.of(self.study).repeats
        self.assertLen(repeats, 34 * 3 * 3)
        self.assertRegex(
            self.told, r"Shown twice: 306 pairs of answers, \d\d % the same"
        )


class PeopleTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self.study = studies.make(self.folder, "--repeats", 1)

    def test_people_and_programs_are_never_mixed(self):
        synthetic.play(self.study, 3)
        kept = answers.Answers(self.study)
        token = kept.begin()
        kept.keep(*(answers.Answer(token, n, "overall", 4) for n in range(10)))
        kept.close()
        found = results.of(self.study)
        self.assertEqual((found.raters, found.synthetic), (1, False))
        self.assertEqual(found.scales["overall"].means["input"].mean, 4)
        status, told, _ = run("mos", "report", self.study)
        self.assertEqual(status, 0)
        self.assertNotIn("SYNTHETIC", told)
        status, _, complaints = run("mos", "try", self.study)
        self.assertEqual(status, 2)
        self.assertIn("holds answers of people", complaints)

    def test_a_seed_gives_the_same_answers_and_then_others(self):
        told = []
        for name in ("one", "other"):
            (self.folder / name).mkdir()
            study = studies.make(self.folder / name)
            for _ in range(2):
                synthetic.play(study, 2, careless=1, seed=7)
                run("mos", "report", study)
                told.append((study / "report" / "answers.csv").read_text())
        self.assertEqual(told[:2], told[2:])
        self.assertLen(told[1].splitlines(), 2 * len(told[0].splitlines()) - 1)

    def test_nothing_of_a_person_is_kept(self):
        with sqlite3.connect(self.study / answers.FILE) as database:
            columns = [
                row[1]
                for table in ("raters", "answers")
                for row in database.execute(f"pragma table_info({table})")
            ]
        self.assertEqual(
            columns, ["token", "synthetic", "token", "trial", "scale", "score"]
        )

    def test_without_answers_there_is_nothing_to_report(self):
        status, _, complaints = run("mos", "report", self.study)
        self.assertEqual(status, 2)
        self.assertIn("holds no answers yet: kdsharp mos serve", complaints)


def _cleared(folder: pathlib.Path):
    import contextlib
    import shutil

    stack = contextlib.ExitStack()
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    return stack


if __name__ == "__main__":
    absltest.main()
