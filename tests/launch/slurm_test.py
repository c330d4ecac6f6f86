"""`launch/slurm.sbatch` under a real Slurm: preemption and requeueing."""

import re
import sys
import tempfile
import unittest
from pathlib import Path

import pytest
from absl.testing import absltest

from tests import waiting
from tests.launch import cluster
from tests.training import runs

# Generous, in seconds: several processes in sequence on a shared machine.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@unittest.skipIf(cluster.missing(), f"not installed: {', '.join(cluster.missing())}")
class SlurmTest(absltest.TestCase):
    def test_preempted_job_saves_and_resumes_after_requeueing(self):
        with tempfile.TemporaryDirectory() as name:
            root = Path(name)
            photographs = runs.write_photographs(root / "photographs")
            workdir, log = root / "run", root / "log"
            flags = runs.command(photographs, workdir, epochs=5000)[3:]
            (root / "slurm").mkdir()
            with cluster.Slurm(root / "slurm") as slurm:
                job = self._submit(
                    slurm,
                    f"--output={log}",
                    "--nodes=1",
                    "--ntasks-per-node=2",
                    "--cpus-per-task=1",
                    "--gpus-per-node=0",
                    str(runs.ROOT / "launch" / "slurm.sbatch"),
                    *flags,
                )
                self._wait(lambda: len(_curve(workdir)) > 3, log)
                other = self._submit(
                    slurm, "--partition=high", "--cpus-per-task=2", "--wrap=sleep 1"
                )
                self._wait(lambda: "back into the queue" in log.read_text(), log)
                words = log.read_text()
                self.assertRegex(words, r"kdsharp: SIGTERM at step \d+: saved")
                saved = int(re.search(r"SIGTERM at step (\d+)", words)[1])
                self._wait(lambda: other not in slurm.run("squeue", "-h", "-o%i"), log)
                # Slurm delays requeued jobs by two minutes.
                slurm.run("scontrol", "update", f"JobId={job}", "StartTime=now")
                self._wait(lambda: "resuming from step" in log.read_text(), log)
                self.assertIn(f"resuming from step {saved} of", log.read_text())
                self._wait(lambda: _curve(workdir)[-1]["step"] > saved + 3, log)
            # Cancelling the job ended it without requeueing.
            self.assertEqual(log.read_text().count("back into the queue"), 1)
            steps = [r["step"] for r in _curve(workdir) if "train/loss" in r]
            self.assertEqual(steps, list(range(1, len(steps) + 1)))

    def _submit(self, slurm: cluster.Slurm, *arguments: str) -> str:
        return slurm.run(
            "sbatch",
            "--parsable",
            f"--chdir={runs.ROOT}",
            "--output=/dev/null",
            *arguments,
            KDSHARP_PYTHON=sys.executable,
            JAX_PLATFORMS="cpu",
        )

    def _wait(self, happened, log: Path) -> None:
        try:
            waiting.until(happened, "Slurm")
        except AssertionError:
            self.fail(log.read_text() if log.exists() else "no log")


def _curve(workdir: Path) -> list[dict]:
    return runs.curve(workdir) if (workdir / "metrics.jsonl").exists() else []


if __name__ == "__main__":
    absltest.main()
