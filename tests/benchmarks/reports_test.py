"""The table of the five systems: what is trained, what is read from finished runs."""

import argparse
import pathlib
import re

import pytest
from absl.testing import absltest

from benchmarks import reports
from kdsharp import config_files
from kdsharp.errors import UserError
from kdsharp.weights import store
from tests.evaluation import networks

_HOUR = ("hour-teacher", "hour-student")


class ReportsTest(absltest.TestCase):
    def test_every_system_has_both_variants(self):
        for system in reports.SYSTEMS:
            for variant in ("standin-teacher", "standin-student", *_HOUR):
                path = f"configs/reports/{system.name}.py:{variant}"
                config = config_files.load_experiment(path)
                student = variant.endswith("student")
                self.assertEqual(student, bool(config.teacher.weights))
                self.assertEqual(variant in _HOUR, bool(config.budget))

    def test_mistakes_are_one_sentence(self):
        here = pathlib.Path(self.create_tempdir())
        with self.assertRaisesRegex(
            UserError, "there is no folder .*/none: check the path"
        ):
            reports.measure(_arguments(here / "none", here))
        with self.assertRaisesRegex(
            UserError, "unknown system 'unet'; choose one of: conf"
        ):
            reports.measure(_arguments(here, here, "unet"))

    @pytest.mark.slow
    def test_finished_runs_are_read_and_timed_not_trained_again(self):
        runs = pathlib.Path(self.create_tempdir())
        scores = {
            "input": {"ssim": 0.5, "mae": 0.03, "psnr": 25.0},
            "teacher": {"ssim": 0.625, "mae": 0.02, "psnr": 27.0},
            "student": {"ssim": 0.75, "mae": 0.01, "psnr": 28.0},
        }
        for role, steps in (("teacher", 1234), ("student", 56)):
            folder = runs / f"celeba_unet_{role}"
            folder.mkdir()
            path = networks.save(folder, role)
            weights = store.load(str(path))
            card = weights.card | {
                "degradation": "gaussian:2",
                "scores": {"held-out pictures": scores},
                "training": {"steps": steps},
            }
            store.save(path, weights.variables, card)
            (folder / "report.md").touch()
        (row,) = reports.measure(_arguments(runs, runs, "celeba_unet"))
        self.assertEqual(row["scores"], scores)
        self.assertEqual(row["steps"], [1234, 56])
        self.assertGreater(row["frames_per_second"], 0)
        line = reports.report([row]).splitlines()[-1]
        self.assertRegex(line, re.escape("0.7500 / 0.0100 / 28.00"))
        self.assertRegex(line, re.escape("1,234 + 56"))


def _arguments(photographs, runs, *systems):
    return argparse.Namespace(
        photographs=photographs,
        runs=runs,
        systems=list(systems) or None,
        variant="standin",
        times=1,
    )


if __name__ == "__main__":
    absltest.main()
