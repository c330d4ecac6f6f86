"""The shape of the project: imports point down, TensorFlow stays out."""

import ast
import subprocess
import sys
from pathlib import Path

from absl.testing import absltest

_PACKAGE = Path(__file__).parents[1] / "kdsharp"
# From the ground up: a folder may import from those before it. What is in no folder
# stands above all of them, but for the first two, which everybody knows.
_FLOORS = [
    "__version__",
    "errors",
    "whole_files",
    "core",
    "models",
    "data",
    "training",
    "weights",
    "export",
    "runtime",
    "media",
    "batching",
    "evaluation",
    "web",
    "study",
]


def _floor(module: str) -> int:
    first = module.split(".")[1] if "." in module else ""
    return _FLOORS.index(first) if first in _FLOORS else len(_FLOORS)


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] == "kdsharp"}


class HouseTest(absltest.TestCase):
    def test_imports_point_down(self):
        upwards = []
        for path in sorted(_PACKAGE.rglob("*.py")):
            relative = path.relative_to(_PACKAGE.parent).with_suffix("")
            module = ".".join(relative.parts)
            upwards += [
                f"{module} imports {name}"
                for name in _imports(path)
                if _floor(name) > _floor(module)
            ]
        self.assertEmpty(upwards)

    def test_core_and_models_open_no_file(self):
        for folder in ("core", "models"):
            for path in (_PACKAGE / folder).rglob("*.py"):
                calls = {
                    node.func.id
                    for node in ast.walk(ast.parse(path.read_text()))
                    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
                }
                self.assertNotIn("open", calls, path)

    def test_every_folder_says_what_lives_there(self):
        for init in _PACKAGE.rglob("__init__.py"):
            self.assertTrue(ast.get_docstring(ast.parse(init.read_text())), init)

    def test_tensorflow_stays_out(self):
        code = (
            "import sys, kdsharp.cli, kdsharp.experiment, kdsharp.main; "
            "import kdsharp.data.prepared; "
            "sys.exit('tensorflow' in sys.modules)"
        )
        self.assertEqual(subprocess.run([sys.executable, "-c", code]).returncode, 0)


if __name__ == "__main__":
    absltest.main()
