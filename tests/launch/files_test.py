"""The files of launch/, checked without their services."""

import copy
import subprocess
import sys
from pathlib import Path

import kubeflow_trainer_api.models as kubernetes
import yaml
from absl.testing import absltest, parameterized

from tests import waiting

_LAUNCH = Path(__file__).parents[2] / "launch"


def _run(*command: object, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=waiting.PATIENCE,
        check=False,
        **options,
    )


def _loose_ends(manifest: dict) -> list[str]:
    """Lists fields of a manifest that the JobSet and Kubernetes models do not know."""
    understood = kubernetes.JobsetV1alpha2JobSet.from_dict(copy.deepcopy(manifest))
    return list(_lost(manifest, understood.to_dict(), ""))


def _lost(given, kept, place: str):
    if isinstance(given, dict):
        for name, value in given.items():
            yield from _lost(value, (kept or {}).get(name), f"{place}.{name}")
    elif isinstance(given, list):
        for index, value in enumerate(given):
            found = kept[index] if kept else None
            yield from _lost(value, found, f"{place}[{index}]")
    elif given != kept:
        yield place


class FilesTest(parameterized.TestCase):
    @parameterized.parameters("slurm.sbatch", "tpu_vm.sh")
    def test_shellcheck_reports_nothing(self, name):
        shellcheck = Path(sys.executable).with_name("shellcheck")
        found = _run(shellcheck, "--shell=bash", _LAUNCH / name)
        self.assertEqual((found.returncode, found.stdout), (0, ""))

    @parameterized.parameters(
        "local.py", "slurm.sbatch", "tpu_vm.sh", "gke_jobset.yaml"
    )
    def test_each_file_documents_running_adapting_and_preemption(self, name):
        words = (_LAUNCH / name).read_text().lower()
        for said in (f"launch/{name}", "to adapt:", "preemption", "checkpoint"):
            self.assertIn(said, words)
        self.assertLess(len(words.splitlines()), 110)

    def test_jobset_is_valid(self):
        manifest = yaml.safe_load((_LAUNCH / "gke_jobset.yaml").read_text())
        self.assertEmpty(_loose_ends(manifest))
        # The check does report unknown fields.
        pod = manifest["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]
        pod["spec"]["containers"][0]["comand"] = ["python"]
        manifest["spec"]["failurPolicy"] = {"maxRestarts": 3}
        self.assertLen(_loose_ends(manifest), 2)
        manifest["spec"]["failurePolicy"]["maxRestarts"] = "many"
        with self.assertRaisesRegex(ValueError, "maxRestarts"):
            _loose_ends(manifest)

    def test_dry_run_of_the_tpu_script(self):
        told = _run(
            _LAUNCH / "tpu_vm.sh",
            *("--dry-run", "slice", "zone-a", "gs://bucket/runs/one"),
            *("--config=configs/student.py", "--config.name=two words"),
            # An empty PATH, so that gcloud cannot be called.
            env={"PATH": "/usr/bin:/bin", "TPU_PROJECT": "mine"},
        )
        self.assertEqual(told.returncode, 0, told.stderr)
        gcloud = [line for line in told.stdout.splitlines() if "gcloud" in line]
        self.assertLen(gcloud, 4)
        for line, verb in zip(gcloud, ("create", "scp", "ssh", "ssh"), strict=True):
            self.assertStartsWith(line, f"gcloud compute tpus tpu-vm {verb} ")
            self.assertIn("--zone=zone-a --project=mine", line)
        # Parsed as by the shell on a VM.
        command = _run("bash", "-c", f"printf '%s\\n' {gcloud[-1]}").stdout
        (remote,) = [line for line in command.splitlines() if "--command=" in line]
        words = _run("bash", "-c", f"printf '%s\\n' {remote.partition('&&')[2]}")
        self.assertEqual(
            words.stdout.splitlines()[1:],
            [
                "-m",
                "kdsharp.main",
                "--distributed",
                "--config=configs/student.py",
                "--config.name=two words",
                "--workdir=/mnt/kdsharp/runs/one",
            ],
        )

    def test_tpu_script_names_missing_settings(self):
        for arguments in (("a", "b", "c"), ("a", "b", "gs://bucket", "--config=c")):
            told = _run(_LAUNCH / "tpu_vm.sh", *arguments)
            self.assertEqual(told.returncode, 2)
            self.assertLen(told.stderr.splitlines(), 1)


if __name__ == "__main__":
    absltest.main()
