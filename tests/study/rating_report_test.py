"""The report recovers the true scores of synthetic raters and marks them as such."""

import csv
import pathlib
import sqlite3

import numpy as np
import pytest
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

    def test_intervals_contain_the_true_means(self):
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

    def test_significant_pairs_differ_in_the_true_means(self):
        for scale in results.of(self.study).scales.values():
            for pair in scale.pairs:
                apart = _TRUTH[pair.first] - _TRUTH[pair.second]
                self.assertEqual(pair.p < 0.05, apart != 0, pair)
                self.assertEqual(
                    pair.difference > 0, apart > 0, pair
                ) if apart else None

    def test_careless_raters_are_rejected(self):
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

    def test_synthetic_results_are_marked(self):
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

    def test_reports_consistency_of_repeated_pictures(self):
        repeats = results.of(self.study).repeats
        self.assertLen(repeats, 34 * 3 * 3)
        self.assertRegex(
            self.told, r"Repeated pictures: 306 pairs of ratings, \d\d % identical"
        )


class PeopleTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self.study = studies.make(self.folder, "--repeats", 1)

    def test_people_and_synthetic_raters_are_never_mixed(self):
        synthetic.play(self.study, 3)
        kept = answers.Answers(self.study)
        token = kept.add_rater()
        kept.save(*(answers.Answer(token, n, "overall", 4) for n in range(10)))
        kept.close()
        found = results.of(self.study)
        self.assertEqual((found.raters, found.synthetic), (1, False))
        self.assertEqual(found.scales["overall"].means["input"].mean, 4)
        status, told, _ = run("mos", "report", self.study)
        self.assertEqual(status, 0)
        self.assertNotIn("SYNTHETIC", told)
        status, _, complaints = run("mos", "try", self.study)
        self.assertEqual(status, 2)
        self.assertIn("holds ratings by people", complaints)

    @pytest.mark.slow
    def test_seeds_are_reproducible(self):
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

    def test_no_personal_data_is_stored(self):
        with sqlite3.connect(self.study / answers.FILE) as database:
            columns = [
                row[1]
                for table in ("raters", "answers")
                for row in database.execute(f"pragma table_info({table})")
            ]
        self.assertEqual(
            columns, ["token", "synthetic", "token", "trial", "scale", "score"]
        )

    def test_a_study_without_ratings_is_reported(self):
        status, _, complaints = run("mos", "report", self.study)
        self.assertEqual(status, 2)
        self.assertIn(
            "holds no ratings yet: collect some with kdsharp mos serve", complaints
        )


def _cleared(folder: pathlib.Path):
    import contextlib
    import shutil

    stack = contextlib.ExitStack()
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    return stack


if __name__ == "__main__":
    absltest.main()
