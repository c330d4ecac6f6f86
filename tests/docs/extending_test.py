"""The examples of docs/inside/extending.md work as they stand there."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from absl.testing import absltest

_ROOT = Path(__file__).parents[2]
_PAGE = _ROOT / "docs" / "inside" / "extending.md"
# Where the code goes, a file or a table in it, or nowhere: it is tried.
_BLOCK = re.compile(
    r"^(?:`([\w/.]+)`(?:, in `(\w+)`)?|Try it):\n\n```(?:py|diff)\n(.*?)^```$",
    re.M | re.S,
)
# Weights that an example loads; the others are large.
_WEIGHTS = "rt-s-bicubic2."


def _leave_out(folder: str, names: list[str]) -> set[str]:
    heavy = {n for n in names if n.endswith(".safetensors") and _WEIGHTS not in n}
    return heavy | {"__pycache__"} & set(names)


def _tables(source: str) -> dict[str, tuple[int, int]]:
    """Where tables at a module's top level begin and where their entries end."""
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            name = getattr(node, "target", None) or node.targets[0]
            entries = node.value
            if isinstance(entries, ast.DictComp):
                entries = entries.generators[0].iter
            if isinstance(entries, ast.Dict | ast.Tuple):
                found[name.id] = node.lineno - 1, entries.end_lineno - 1
    return found


def _insert(path: Path, table: str, code: str) -> None:
    """Put a line last in a table, or a definition before the file's last table."""
    lines = path.read_text().splitlines(keepends=True)
    tables = _tables("".join(lines))
    if table:
        at, code = tables[table][1], code.removeprefix("+")
    else:
        at = max((first for first, _ in tables.values()), default=len(lines))
        code = f"\n\n{code}\n\n"
    path.write_text("".join([*lines[:at], code, *lines[at:]]))


class ExtendingTest(absltest.TestCase):
    @pytest.mark.slow
    def test_every_example_works(self):
        copy = Path(self.create_tempdir().full_path)
        shutil.copytree(_ROOT / "kdsharp", copy / "kdsharp", ignore=_leave_out)
        examples = []
        for path, table, code in _BLOCK.findall(_PAGE.read_text()):
            if not path:
                examples.append(code)
            elif (copy / path).exists():
                _insert(copy / path, table, code)
            else:
                (copy / path).write_text(code)
        self.assertGreaterEqual(len(examples), 6)
        script = copy / "examples.py"
        script.write_text(
            "import kdsharp\n"
            f"assert kdsharp.__file__.startswith({str(copy)!r}), kdsharp.__file__\n"
            + "\n".join(examples)
        )
        done = subprocess.run(
            [sys.executable, script],
            env={**os.environ, "PYTHONPATH": str(copy)},
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    absltest.main()
