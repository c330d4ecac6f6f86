"""The command line as a whole: start-up and exit statuses."""

import pathlib
import subprocess
import sys

from absl.testing import absltest, parameterized

from tests.cli.running import run

_ROOT = pathlib.Path(__file__).parents[2]


class CommandTest(parameterized.TestCase):
    @parameterized.parameters(
        (("data", "prepare"), "--processes"), (("weights", "import"), "--arch")
    )
    def test_help_imports_no_heavy_package(self, verb, option):
        code = (
            "import sys\n"
            "from kdsharp import cli\n"
            f"try: cli.main([*{verb}, '--help'])\n"
            "except SystemExit: pass\n"
            "heavy = {'jax', 'numpy', 'tensorflow_datasets'} & set(sys.modules)\n"
            "sys.exit(str(heavy) if heavy else 0)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=_ROOT, capture_output=True, text=True
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(option, done.stdout)

    def test_a_missing_verb_exits_with_2(self):
        self.assertEqual(run()[0], 2)
        self.assertEqual(run("weights")[0], 2)

    def test_closed_output_pipe_is_silent(self):
        command = [sys.executable, "-m", "kdsharp.cli", "weights", "list"]
        with subprocess.Popen(
            command, cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            process.stdout.close()
            complaints = process.stderr.read()
        self.assertEqual((process.returncode, complaints), (141, b""))


if __name__ == "__main__":
    absltest.main()
