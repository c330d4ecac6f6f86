"""The architecture: imports point downwards, and TensorFlow is not imported."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from absl.testing import absltest

_PACKAGE = Path(__file__).parents[1] / "kdsharp"
# From the bottom up: a folder may import from those before it. Top-level modules are
# above all folders, except the first three, which any module may import.
_FLOORS = [
    "__version__",
    "errors",
    "base",
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


def _name(path: Path) -> str:
    parts = path.relative_to(_PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _module(imported: str, modules: dict[str, Path]) -> str | None:
    """The module of an import, or the module that contains the imported name."""
    parent = imported.rpartition(".")[0]
    return next((name for name in (imported, parent) if name in modules), None)


def _circles(graph: dict[str, set[str]]) -> list[str]:
    """Names that are part of an import cycle."""

    def reached(start: str) -> set[str]:
        seen, ahead = set(), [start]
        while ahead:
            new = graph.get(ahead.pop(), set()) - seen
            seen |= new
            ahead += new
        return seen

    return sorted(name for name in graph if name in reached(name))


class HouseTest(absltest.TestCase):
    def test_imports_point_downwards(self):
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

    def test_there_are_no_import_cycles(self):
        modules = {_name(path): path for path in _PACKAGE.rglob("*.py")}
        imports = {
            name: {_module(found, modules) for found in _imports(path)} - {name}
            for name, path in modules.items()
        }
        siblings: dict[str, set[str]] = {}
        for name, found in imports.items():
            for other in found - {None}:
                # Compared where the paths diverge: sibling folders or modules.
                here, there = name.split("."), other.split(".")
                pairs = enumerate(zip(here, there, strict=False), 1)
                depth = next((n for n, (a, b) in pairs if a != b), 0)
                if depth:
                    inner = siblings.setdefault(".".join(here[:depth]), set())
                    inner.add(".".join(there[:depth]))
        self.assertEqual(_circles(siblings), [])

    def test_every_verb_has_a_cli_and_a_command_module_of_one_name(self):
        parsed = {
            path.stem
            for path in (_PACKAGE / "cli").glob("*.py")
            if "def add(" in path.read_text()
        }
        done = {path.stem for path in (_PACKAGE / "commands").glob("*.py")}
        done = {name.partition("_")[0] for name in done - {"__init__"}}
        self.assertEqual(parsed, done)

    def test_map_in_the_docs_has_every_folder_and_module(self):
        text = (_PACKAGE.parent / "docs/inside/house.md").read_text()
        named = set(re.findall(r"`kdsharp/([\w.]+)`", text))
        there = {
            path.name
            for path in _PACKAGE.iterdir()
            if path.suffix == ".py" or (path / "__init__.py").exists()
        }
        self.assertEqual(named, there - {"__init__.py"})

    def test_core_and_models_do_not_open_files(self):
        for folder in ("core", "models"):
            for path in (_PACKAGE / folder).rglob("*.py"):
                calls = {
                    node.func.id
                    for node in ast.walk(ast.parse(path.read_text()))
                    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
                }
                self.assertNotIn("open", calls, path)

    def test_every_package_has_a_docstring(self):
        for init in _PACKAGE.rglob("__init__.py"):
            self.assertTrue(ast.get_docstring(ast.parse(init.read_text())), init)

    @pytest.mark.slow
    def test_tensorflow_is_not_imported(self):
        code = (
            "import sys, kdsharp.cli, kdsharp.experiment, kdsharp.main; "
            "import kdsharp.data.prepared; "
            "sys.exit('tensorflow' in sys.modules)"
        )
        self.assertEqual(subprocess.run([sys.executable, "-c", code]).returncode, 0)


if __name__ == "__main__":
    absltest.main()
