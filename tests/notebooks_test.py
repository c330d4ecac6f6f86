"""Notebooks run with small settings, and their committed outputs are complete."""

import os
import re
from pathlib import Path

import nbformat
import pytest
from absl.testing import absltest
from nbclient import NotebookClient

from tests import waiting

# Generous, in seconds: several processes in sequence on a shared machine.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

_FOLDER = Path(__file__).parents[1] / "notebooks"
_LARGEST = 1_000_000
_PICTURES = ("image/png", "image/jpeg")


def _shown(notebook: nbformat.NotebookNode) -> dict[str, list[str]]:
    """The kinds of outputs (pictures, tables) by cell."""
    kinds: dict[str, list[str]] = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if any(kind in data for kind in _PICTURES):
                kinds.setdefault(cell.id, []).append("picture")
            elif "| --" in data.get("text/markdown", ""):
                kinds.setdefault(cell.id, []).append("table")
    return kinds


class _Notebook(absltest.TestCase):
    def check(self, name: str, expected: dict[str, list[str]]) -> None:
        """Checks the committed outputs, and those of a small run."""
        path = _FOLDER / f"{name}.ipynb"
        self.assertLess(path.stat().st_size, _LARGEST)
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        self.assertEqual(_shown(notebook), expected)
        codes = [cell for cell in notebook.cells if cell.cell_type == "code"]
        numbers = [cell.execution_count for cell in codes]
        self.assertEqual(numbers, list(range(1, len(codes) + 1)))
        outputs = [output for cell in codes for output in cell.outputs]
        self.assertNoCommonElements(
            {output.output_type for output in outputs}, {"error"}
        )
        # Outputs must not mention the machine of the run.
        self.assertIsNone(re.search(r"/(root|home|tmp|Users)/", path.read_text()))
        self._run(notebook)
        self.assertEqual(_shown(notebook), expected)

    def _run(self, notebook: nbformat.NotebookNode) -> None:
        folder = self.create_tempdir().full_path
        environment = {
            **os.environ,
            "KDSHARP_NOTEBOOK": "smoke",
            "JAX_PLATFORMS": "cpu",
            # Without IPython's history and user settings.
            "IPYTHONDIR": folder,
            "TMPDIR": folder,
        }
        client = NotebookClient(
            notebook,
            timeout=300,
            startup_timeout=waiting.PATIENCE,
            kernel_name="python3",
            resources={"metadata": {"path": str(_FOLDER)}},
        )
        client.execute(env=environment)


# One class each, so that they are distributed over the test processes.


class DistillationTest(_Notebook):
    def test_runs(self):
        self.check(
            "distillation",
            {
                "train": ["picture"],
                "scores": ["table"],
                "pictures": ["picture"],
                "residuals": ["picture"],
                "spectrum": ["picture"],
                "ablation": ["table"],
                "runs": ["picture"],
            },
        )


class SpeedQualityTest(_Notebook):
    def test_runs(self):
        self.check(
            "speed_quality",
            {
                "networks": ["table"],
                "quality": ["table"],
                "speed": ["table"],
                "tradeoff": ["picture", "table"],
                "claims": ["table", "picture"],
            },
        )


if __name__ == "__main__":
    absltest.main()
