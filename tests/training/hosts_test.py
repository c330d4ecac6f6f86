"""Training on several hosts (real processes): killed, stopped, and resumed."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from absl.testing import absltest

from kdsharp.data import sources
from kdsharp.training import loop
from tests import waiting
from tests.training import runs

# Generous, in seconds: several processes in sequence on a shared machine.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

_EPOCHS = 2
_CHANGES = {"epochs": _EPOCHS, "data.crops_per_picture": 16}
_STEPS = 24


def _launch(test, count: int, photographs: Path, workdir: Path, log: Path, **changes):
    flags = runs.command(photographs, workdir, **_CHANGES, **changes)[3:]
    launcher = runs.ROOT / "launch" / "local.py"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, str(launcher), str(count), *flags],
            cwd=runs.ROOT,
            env=os.environ | {"JAX_PLATFORMS": "cpu"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    test.addCleanup(_end, process)
    return process


def _end(process: subprocess.Popen) -> None:
    """Ends the launcher, which passes SIGTERM on to its hosts."""
    for _ in range(2):
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)


def _hosts(process: subprocess.Popen) -> list[int]:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(child) for child in children.read_text().split()]


class HostsTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._folder = tempfile.TemporaryDirectory()
        root = cls.root = Path(cls._folder.name)
        cls.photographs = runs.write_photographs(root / "photographs")
        config = runs.small_config(cls.photographs, **_CHANGES, checkpoint_every=100)
        source = f"folder:{cls.photographs}"
        pictures = {name: sources.create(source, name) for name in ("train", "valid")}
        (root / "one").mkdir()
        cls.one = loop.Run(config, root / "one", sources=pictures).train()
        cls.curve = runs.curve(root / "one")

    @classmethod
    def tearDownClass(cls):
        cls._folder.cleanup()
        super().tearDownClass()

    def assert_same_curve(self, workdir: Path, expected: list[dict] | None = None):
        curve, expected = runs.curve(workdir), expected or self.curve
        self.assertEqual([r["step"] for r in curve], [r["step"] for r in expected])
        self.assertEqual(curve[-1]["step"], _STEPS)
        for record, alone in zip(curve, expected, strict=True):
            self.assertEqual(record.keys(), alone.keys())
            for name, value in alone.items():
                np.testing.assert_allclose(
                    record[name], value, rtol=1e-3, err_msg=f"{name} {record['step']}"
                )

    def _assert_cores_are_divided(self, launcher: subprocess.Popen):
        cores = os.sched_getaffinity(0)
        self.assertEqual(os.sched_getaffinity(launcher.pid), cores)
        held = [os.sched_getaffinity(host) for host in _hosts(launcher)]
        self.assertEqual(set().union(*held), cores)
        if len(cores) >= len(held):
            self.assertEqual(sum(map(len, held)), len(cores))

    def test_killed_on_two_hosts_and_resumed_on_four_equals_one_host(self):
        workdir, log = self.root / "killed", self.root / "killed.log"
        process = _launch(self, 2, self.photographs, workdir, log)
        runs.wait_for_steps(workdir, 8, process)
        self._assert_cores_are_divided(process)
        os.kill(_hosts(process)[1], signal.SIGKILL)
        self.assertEqual(process.wait(waiting.PATIENCE), 128 + signal.SIGKILL)
        words = log.read_text()
        self.assertRegex(
            words, r"kdsharp: host 0 of 2: .* is gone.*: all hosts stop; run"
        )
        self.assertNotIn("Traceback", words)

        process = _launch(self, 4, self.photographs, workdir, self.root / "four.log")
        status = process.wait(waiting.PATIENCE)
        words = (self.root / "four.log").read_text()
        self.assertEqual(status, 0, words)
        self.assertRegex(words, r"resuming from step \d+ of 24")
        # Only the primary host logs the evaluations: after 12 steps and at the end.
        told = words.count(f"/{_STEPS}: validation PSNR")
        self.assertBetween(told, 1, _EPOCHS)
        self.assertEqual(words.count("validation PSNR"), told)
        self.assertEqual(words.count("weights   "), 1)
        self.assert_same_curve(workdir)
        # All four hosts wrote a part of the newest checkpoint.
        parts = (workdir / f"checkpoints/latest/{_STEPS}/state").glob("ocdbt.process_*")
        self.assertLen(list(parts), 4)
        kept = safetensors.numpy.load_file(workdir / "student.safetensors")
        self.assertEqual(
            sum(x.size for x in kept.values()),
            sum(np.size(x) for x in self._leaves(self.one.variables)),
        )

    def test_sigterm_to_one_host_stops_both_and_one_host_resumes(self):
        workdir, log = self.root / "told", self.root / "told.log"
        process = _launch(self, 2, self.photographs, workdir, log, parallel="pmap")
        runs.wait_for_steps(workdir, 3, process)
        os.kill(_hosts(process)[1], signal.SIGTERM)
        self.assertEqual(process.wait(waiting.PATIENCE), 128 + signal.SIGTERM)
        self.assertRegex(log.read_text(), r"kdsharp: SIGTERM at step \d+: saved")
        finished = runs.run(
            runs.command(self.photographs, workdir, **_CHANGES, parallel="pmap")
        )
        self.assertEqual(finished.returncode, 0, finished.stderr)
        self.assertRegex(finished.stderr, r"resuming from step \d+ of 24")
        self.assert_same_curve(workdir)

    def test_two_hosts_with_pictures_on_the_devices_equal_one(self):
        changes = {"data.placement": "device", "steps_per_call": 5, "log_every": 4}
        config = runs.small_config(self.photographs, **{**_CHANGES, **changes})
        source = f"folder:{self.photographs}"
        pictures = {name: sources.create(source, name) for name in ("train", "valid")}
        alone = self.root / "alone_on_device"
        alone.mkdir()
        loop.Run(config, alone, sources=pictures).train()
        workdir, log = self.root / "on_device", self.root / "on_device.log"
        process = _launch(self, 2, self.photographs, workdir, log, **changes)
        self.assertEqual(process.wait(waiting.PATIENCE), 0, log.read_text())
        self.assert_same_curve(workdir, runs.curve(alone))

    def test_user_errors_are_one_sentence(self):
        log = self.root / "wrong.log"
        process = _launch(
            self, 2, self.photographs, self.root / "wrong", log, batch_size=9, devices=1
        )
        self.assertEqual(process.wait(waiting.PATIENCE), 2)
        self.assertRegex(log.read_text(), "batch_size 9 does not divide by 2 devices")

    def test_distributed_without_hosts_says_what_to_set(self):
        command = runs.command(self.photographs, self.root / "alone")
        environment = {k: v for k, v in os.environ.items() if "SLURM" not in k}
        finished = runs.run([*command, "--distributed"], env=environment)
        self.assertEqual(finished.returncode, 2, finished.stderr)
        self.assertRegex(finished.stderr, "^kdsharp: --distributed found no hosts")

    @staticmethod
    def _leaves(tree):
        for value in tree.values():
            if isinstance(value, dict):
                yield from HostsTest._leaves(value)
            else:
                yield value


if __name__ == "__main__":
    absltest.main()
