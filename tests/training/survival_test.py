"""Runs (real processes) that are killed or stopped, and resumed."""

import os
import random
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from absl.testing import absltest

from tests import waiting
from tests.training import runs

# Generous, in seconds: several processes in sequence on a shared machine.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

# With all kinds of state: a moving average that teaches, adapters, a schedule.
_CARRIED = {
    "teacher.weights": "self",
    "objective.residual_kd": 0.1,
    "objective.feature_kd": 0.001,
    "features": "conv2:conv3",
    "optimizer.average": 0.9,
    "optimizer.schedule": "plateau:1,0.5",
}


def _start(arguments: list[str], log: Path) -> subprocess.Popen:
    with log.open("w") as output:
        return subprocess.Popen(
            arguments, cwd=runs.ROOT, stdout=output, stderr=subprocess.STDOUT
        )


def _command(photographs: Path, workdir: Path, **changes) -> list[str]:
    return runs.command(photographs, workdir, **_CARRIED, **changes)


class SurvivalTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._folder = tempfile.TemporaryDirectory()
        root = cls.root = Path(cls._folder.name)
        cls.photographs = runs.write_photographs(root / "photographs")
        cls.whole = root / "whole"
        finished = runs.run(_command(cls.photographs, cls.whole))
        assert finished.returncode == 0, finished.stderr

    @classmethod
    def tearDownClass(cls):
        cls._folder.cleanup()
        super().tearDownClass()

    def assert_same_as_uninterrupted(self, workdir: Path):
        self.assert_same(workdir, self.whole)

    def assert_same(self, workdir: Path, whole: Path):
        self.assertEqual(runs.curve(workdir), runs.curve(whole))
        self.assertEqual(
            (workdir / "student.safetensors").read_bytes(),
            (whole / "student.safetensors").read_bytes(),
        )

    def test_resume_after_kills_is_bit_identical(self):
        workdir = self.root / "killed"
        command = _command(self.photographs, workdir)
        chance = random.Random(os.urandom(8))
        for kill in range(3):
            process = _start(command, self.root / f"killed-{kill}.log")
            runs.wait_for_steps(workdir, 1 + 50 * kill, process)
            time.sleep(chance.uniform(0, 0.3))
            process.kill()
            self.assertEqual(process.wait(), -signal.SIGKILL)
        finished = runs.run(command)
        self.assertEqual(finished.returncode, 0, finished.stderr)
        self.assert_same_as_uninterrupted(workdir)

    def test_sigterm_saves_and_resume_is_bit_identical(self):
        workdir = self.root / "terminated"
        command = _command(self.photographs, workdir)
        log = self.root / "terminated.log"
        process = _start(command, log)
        runs.wait_for_steps(workdir, 3, process)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(waiting.PATIENCE), 128 + signal.SIGTERM)
        self.assertRegex(
            log.read_text(), r"kdsharp: SIGTERM at step \d+: saved; run the same"
        )
        finished = runs.run(command)
        self.assertEqual(finished.returncode, 0, finished.stderr)
        self.assertRegex(finished.stderr, r"resuming from step \d+ of 180")
        self.assert_same_as_uninterrupted(workdir)

    def test_resume_with_pictures_on_the_device_is_bit_identical(self):
        changes = {
            "data.placement": "device",
            "steps_per_call": 7,
            "log_every": 3,
            "epochs": 12,
        }
        whole, workdir = self.root / "whole_on_device", self.root / "killed_on_device"
        finished = runs.run(_command(self.photographs, whole, **changes))
        self.assertEqual(finished.returncode, 0, finished.stderr)
        command = _command(self.photographs, workdir, **changes)
        process = _start(command, self.root / "killed_on_device.log")
        runs.wait_for_steps(workdir, 8, process)
        process.kill()
        self.assertEqual(process.wait(), -signal.SIGKILL)
        finished = runs.run(command)
        self.assertEqual(finished.returncode, 0, finished.stderr)
        self.assertRegex(finished.stderr, r"resuming from step \d+ of 72")
        self.assert_same(workdir, whole)

    def test_finished_run_only_reports_again(self):
        finished = runs.run(_command(self.photographs, self.whole))
        self.assertEqual(finished.returncode, 0, finished.stderr)
        self.assertIn("| student |", finished.stdout)
        self.assertNotIn("images/s", finished.stderr)

    def test_resume_with_another_config_is_an_error_that_shows_the_difference(self):
        finished = runs.run(
            _command(self.photographs, self.whole, **{"epochs": 5, "seed": 3})
        )
        self.assertEqual(finished.returncode, 2)
        self.assertRegex(
            finished.stderr.strip(),
            r"^kdsharp: .* holds a run of another config \(epochs: 30 there, 5 now; "
            r"seed: 0 there, 3 now\); name another work folder with --workdir$",
        )

    def test_work_folder_is_locked_against_a_second_process(self):
        workdir = self.root / "shared"
        command = _command(self.photographs, workdir, epochs=400)
        process = _start(command, self.root / "shared.log")
        runs.wait_for_steps(workdir, 1, process)
        second = runs.run(command)
        process.kill()
        process.wait()
        self.assertEqual(second.returncode, 2)
        self.assertRegex(second.stderr, "another process is training in")


if __name__ == "__main__":
    absltest.main()
