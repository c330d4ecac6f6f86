"""The command line shared by all benchmarks.

A benchmark is a module with `measure(arguments)`, which returns JSON-serialisable
results, `report(results)`, which formats them as text, and, if it has flags of its own,
`add_arguments(parser)`. Its docstring is its help.
"""

import argparse
import ast
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from benchmarks import record
from kdsharp.base import terminal
from kdsharp.errors import UserError

_FOLDER = Path(__file__).parent


def names() -> list[str]:
    """Lists the modules that are benchmarks."""
    return sorted(path.stem for path in _FOLDER.glob("*.py") if _is_benchmark(path))


def listing() -> str:
    """Formats a line for each benchmark: its command and its summary."""
    lines = {name: _summary(_FOLDER / f"{name}.py") for name in names()}
    width = max(map(len, lines))
    rows = [f"python -m benchmarks.{name:{width}}  {lines[name]}" for name in lines]
    return "\n".join(
        [*rows, "", "--help lists the flags, --json FILE saves the numbers"]
    )


def main(benchmark: ModuleType, argv: Sequence[str] | None = None) -> int:
    """Runs a benchmark, prints its report, saves its record; returns exit status."""
    parser = _parser(benchmark)
    arguments = parser.parse_args(argv)
    before = record.load()
    try:
        results = benchmark.measure(arguments)
        print(benchmark.report(results))
        if arguments.json:
            options = {k: v for k, v in vars(arguments).items() if k != "json"}
            name = Path(benchmark.__file__).stem
            record.write(arguments.json, name, options, results, before)
    except UserError as error:
        return terminal.fail(error, 2)
    return 0


def run(name: str) -> int:
    """Runs the benchmark that is the main program; `name` is its `__name__`."""
    return main(sys.modules[name])


def _parser(benchmark: ModuleType) -> argparse.ArgumentParser:
    summary, _, details = benchmark.__doc__.partition("\n")
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{Path(benchmark.__file__).stem}",
        description=summary,
        epilog=details.strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if hasattr(benchmark, "add_arguments"):
        benchmark.add_arguments(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="save the numbers")
    return parser


def _is_benchmark(path: Path) -> bool:
    """Parses the file instead of importing it, which would take seconds."""
    body = ast.parse(path.read_text()).body
    return {"measure", "report"} <= {
        node.name for node in body if isinstance(node, ast.FunctionDef)
    }


def _summary(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text())).partition("\n")[0]
