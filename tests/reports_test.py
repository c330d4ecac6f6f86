"""Smoke runs of the reports' systems: teacher and student, trained for seconds."""

import math
import pathlib

import pytest
from absl.testing import absltest

from configs.reports import (
    bicubic4_cnn,
    celeba_unet,
    conference_dncnn,
    gopro_swinir,
    helen_dncnn,
)
from kdsharp import experiment
from kdsharp.weights import store

pytestmark = pytest.mark.slow


_NO_BETTER = "is no better than its input"


class _Smoke(absltest.TestCase):
    def run_smoke(self, module) -> None:
        """Trains teacher and student; checks files and log messages."""
        folder = pathlib.Path(self.create_tempdir().full_path)
        config = module.get_config("smoke")
        for one in (config, config.teacher.experiment):
            one.devices = 1  # One of the tests' eight devices.
        with self.assertLogs("kdsharp") as logs:
            experiment.run(config, folder)
        said = "\n".join(logs.output)
        before, after = said.split("training the student:")
        for place, role, words in (
            (folder / "teacher", config.teacher.experiment.name, before),
            (folder, "student", after),
        ):
            card = store.load(str(place)).card
            scores = card["scores"]["held-out pictures"]
            ratio = scores["input"]["mse"] / scores[role]["mse"]
            verdict = words.rpartition("scoring on")[2]
            # 0.02 dB.
            in_vain = 10 * math.log10(ratio) < 0.02
            self.assertEqual(_NO_BETTER in verdict, in_vain, words)
            report = (place / "report.md").read_text()
            for name, values in scores.items():
                self.assertRegex(report, rf"\| {name} .*{values['psnr']:.2f}")
            for name in ("samples.png", "curves.png", "metrics.jsonl"):
                self.assertGreater((place / name).stat().st_size, 0)


# One class each, so that they are distributed over the test processes.


class ConferenceTest(_Smoke):
    def test_trains_teacher_and_student(self):
        self.run_smoke(conference_dncnn)


class HelenTest(_Smoke):
    def test_trains_teacher_and_student(self):
        self.run_smoke(helen_dncnn)


class CelebATest(_Smoke):
    def test_trains_teacher_and_student(self):
        self.run_smoke(celeba_unet)


class GoProTest(_Smoke):
    def test_trains_teacher_and_student(self):
        self.run_smoke(gopro_swinir)


class BicubicTest(_Smoke):
    def test_trains_teacher_and_student(self):
        self.run_smoke(bicubic4_cnn)


if __name__ == "__main__":
    absltest.main()
