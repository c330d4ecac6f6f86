"""The benchmarks' command: its list, flags and saved records."""

import datetime
import importlib
import json
import pathlib
import re
import subprocess
import sys

from absl.testing import absltest, parameterized

from benchmarks import command, record
from kdsharp.errors import UserError

_ROOT = pathlib.Path(__file__).parents[2]


class Benchmark:
    """Counts.

    Up to a number.
    """

    __file__ = "counting.py"

    @staticmethod
    def add_arguments(parser):
        parser.add_argument("number", type=int)

    @staticmethod
    def measure(arguments):
        if arguments.number > 1000:
            raise UserError("nobody counts that far")
        return list(range(arguments.number))

    @staticmethod
    def report(results):
        return f"counted: {results}"


class CommandTest(parameterized.TestCase):
    def test_list_has_every_benchmark_with_its_summary(self):
        listed = subprocess.run(
            [sys.executable, "-m", "benchmarks"],
            cwd=_ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        found = re.findall(r"(?m)^python -m benchmarks\.(\w+) +(\S.+)$", listed)
        programs = {
            path.stem
            for path in (_ROOT / "benchmarks").glob("*.py")
            if path.stem != "__main__" and '"__main__"' in path.read_text()
        }
        self.assertEqual({name for name, _ in found}, programs)
        for name, words in found:
            self.assertEndsWith(words, ".", name)

    @parameterized.parameters(*command.names())
    def test_unknown_flags_are_an_error(self, name):
        benchmark = importlib.import_module(f"benchmarks.{name}")
        with self.assertRaises(SystemExit) as end:
            command.main(benchmark, ["--no-such-flag"])
        self.assertEqual(end.exception.code, 2)

    def test_records_have_machine_date_and_commit(self):
        path = pathlib.Path(self.create_tempdir().full_path, "counted.json")
        before = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
        self.assertEqual(command.main(Benchmark, ["3", "--json", str(path)]), 0)
        kept = json.loads(path.read_text())
        self.assertEqual(kept["benchmark"], "counting")
        self.assertEqual(kept["arguments"], {"number": 3})
        self.assertEqual(kept["results"], [0, 1, 2])
        self.assertGreaterEqual(datetime.datetime.fromisoformat(kept["date"]), before)
        head = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=_ROOT, capture_output=True, text=True
        )
        if head.returncode == 0:
            self.assertStartsWith(head.stdout, kept["commit"].removesuffix("-dirty"))
        self.assertContainsSubset(
            {"processor", "cores", "device", "jax", "load"}, kept["machine"]
        )

    def test_user_errors_are_one_sentence(self):
        self.assertEqual(command.main(Benchmark, ["1001"]), 2)

    def test_outside_a_clone_the_commit_is_unknown(self):
        elsewhere = pathlib.Path(self.create_tempdir().full_path)
        with absltest.mock.patch.object(record, "_ROOT", elsewhere):
            self.assertEqual(record.commit(), "unknown")


if __name__ == "__main__":
    absltest.main()
