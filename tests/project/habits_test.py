"""What a stranger expects beside the code says the same thing everywhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import yaml
from absl.testing import absltest

import kdsharp
from kdsharp.weights import store

try:
    import pty
except ImportError:  # Not on Windows.
    pty = None

_ROOT = Path(__file__).parents[2]
_IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
_PROGRAMS = (
    *("chromium", "npm", "ffplay", "munged", "slurmctld", "slurmd", "sbatch"),
    *(
        "firefox-esr",
        "WebKitWebDriver",
        "mpv",
        "nginx",
        "Xvfb",
        "xauth",
        "xdotool",
        "lvp_icd.json",
    ),
)


class VersionTest(absltest.TestCase):
    def test_the_changelog_and_the_citation_name_this_version(self):
        changelog = (_ROOT / "CHANGELOG.md").read_text()
        released = re.findall(r"^## \[(\d.*)\] - (\d{4}-\d\d-\d\d)$", changelog, re.M)
        self.assertEqual(released[0][0], kdsharp.__version__)
        citation = yaml.safe_load((_ROOT / "CITATION.cff").read_text())
        self.assertEqual(
            (citation["version"], str(citation["date-released"])), released[0]
        )

    def test_each_way_to_start_tells_it(self):
        for module in ("kdsharp", "kdsharp.cli"):
            done = subprocess.run(
                [sys.executable, "-m", module, "--version"],
                cwd=_ROOT,
                capture_output=True,
                text=True,
            )
            self.assertEqual(done.stdout, f"kdsharp {kdsharp.__version__}\n", module)


class LicenceTest(absltest.TestCase):
    def test_the_licence_is_there_whole(self):
        words = (_ROOT / "LICENSE").read_text()
        self.assertIn("Apache License", words)
        self.assertIn("END OF TERMS AND CONDITIONS", words)

    def test_weights_may_not_do_more_than_their_data(self):
        notice = (_ROOT / "NOTICE").read_text()
        free = re.search(r"permit commercial use: ([^.]+)\.", notice)[1]
        named = {name.strip() for name in free.split(",")}
        permitted = set()
        for name in store.shipped():
            card = store.read_card(store.locate(name))
            words = "non-commercial"
            self.assertEqual(words in card["data_licence"], words in card["licence"])
            if words not in card["licence"]:
                self.assertNotIn("BSDS500", str(card["recipe"]), name)
                permitted.add(name)
        self.assertEqual(permitted, named)


class ToolsTest(absltest.TestCase):
    def test_pre_commit_has_the_versions_of_ci(self):
        hooks = yaml.safe_load((_ROOT / ".pre-commit-config.yaml").read_text())
        [ruff] = [
            r["rev"] for r in hooks["repos"] if r["repo"].endswith("ruff-pre-commit")
        ]
        setup = (_ROOT / "setup.py").read_text()
        self.assertEqual(ruff, "v" + re.search(r'"ruff==([\d.]+)"', setup)[1])

    def test_workflows_run_the_steps_of_ci_and_nothing_else(self):
        steps = re.search(r'^steps="(.+)"', (_ROOT / ".ci/steps").read_text(), re.M)[1]
        called = set()
        for path in sorted((_ROOT / ".github/workflows").glob("*.yml")):
            for job in yaml.safe_load(path.read_text())["jobs"].values():
                for command in [step.get("run", "") for step in job["steps"]]:
                    if command.startswith(".ci/steps"):
                        called |= set(command.split()[1:])
                    else:
                        self.assertRegex(
                            command, r"^$|^pip install |^(sudo )?\.ci/(run|programs)$"
                        )
        self.assertContainsSubset(called, steps.split())
        run = (_ROOT / ".ci/run").read_text()
        self.assertRegex(run, r"\.ci/steps ")

    def test_workflows_cover_systems_and_pythons(self):
        checks = yaml.safe_load((_ROOT / ".github/workflows/checks.yml").read_text())
        matrix = checks["jobs"]["fast"]["strategy"]["matrix"]
        self.assertLen(matrix["system"], 3)
        self.assertEqual(matrix["python"], ["3.11", "3.12", "3.13", "3.14"])


@absltest.skipIf(pty is None, "needs a POSIX terminal")
class ProgramsTest(absltest.TestCase):
    """`.ci/programs`, with an `apt-get` that only notes what it was asked for."""

    def setUp(self):
        super().setUp()
        self.folder = Path(self.create_tempdir().full_path)
        self.asked = self.folder / "asked"
        self._write("apt-get", f'echo "$@" >> {self.asked}')

    def _write(self, name: str, body: str) -> None:
        (self.folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (self.folder / name).chmod(0o755)

    def _run(self, ci: str, status: int = 0) -> str:
        """What it prints at a terminal, with the written programs on its path."""
        master, terminal = pty.openpty()
        done = subprocess.run(
            ["/bin/bash", _ROOT / ".ci/programs"],
            env={"PATH": str(self.folder), "ICDS": str(self.folder), "CI": ci},
            stdin=terminal,
            stdout=subprocess.PIPE,
            stderr=terminal,
            text=True,
        )
        os.close(terminal)
        os.close(master)
        self.assertEqual(done.returncode, status)
        return done.stdout

    def test_on_a_persons_machine_it_names_what_is_missing_and_installs_nothing(self):
        out = self._run(ci="")
        self.assertFalse(self.asked.exists())
        self.assertRegex(
            out, r"chromium is missing \(Debian: chromium\): skips tests/web"
        )
        self.assertRegex(
            out, r"ffplay is missing \(Debian: ffmpeg\): skips .*live_test"
        )
        for line in out.splitlines():
            path = line.rpartition("skips ")[2]
            self.assertTrue((_ROOT / path).exists(), path)

    def test_with_everything_there_it_says_nothing(self):
        for name in _PROGRAMS:
            self._write(name, "")
        self.assertEqual(self._run(ci=""), "")
        self.assertEqual(self._run(ci="true"), "")
        self.assertFalse(self.asked.exists())

    @absltest.skipUnless(_IS_ROOT, "only root installs packages")
    def test_in_ci_it_installs_what_is_missing(self):
        self._write("npm", "")
        self.assertEqual(self._run(ci="true"), "")
        update, install = self.asked.read_text().splitlines()
        self.assertEqual(update, "-qq update")
        self.assertIn("chromium", install)
        self.assertNotIn("npm", install)

    @absltest.skipUnless(_IS_ROOT, "only root installs packages")
    def test_in_ci_without_a_network_it_names_what_stays_missing(self):
        self._write("apt-get", "exit 100")
        self.assertIn("chromium is missing", self._run(ci="true"))


if __name__ == "__main__":
    absltest.main()
