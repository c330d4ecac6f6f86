"""`kdsharp train` makes the same call as `python -m kdsharp.main`."""

import contextlib
import io
import json
from pathlib import Path

from absl.testing import absltest, flagsaver, parameterized

from kdsharp import cli, experiment, main
from kdsharp.config_files import load_experiment
from tests.training import runs

_STUDENT = str(runs.ROOT / "configs" / "student.py")


def _captured(call, *arguments) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = call(*arguments)
    return status, out.getvalue(), err.getvalue()


class TrainTest(parameterized.TestCase):
    def test_show_prints_the_complete_config(self):
        status, out, _ = _captured(
            cli.main,
            ["train", f"{_STUDENT}:full", "--show", "--config.data.workers", "3"],
        )
        self.assertEqual(status, 0)
        wanted = load_experiment(f"{_STUDENT}:full", ["--config.data.workers=3"])
        self.assertEqual(json.loads(out), json.loads(wanted.to_json()))
        self.assertEqual(json.loads(out)["data"]["workers"], 3)

    @parameterized.parameters("--workdir=elsewhere", "")
    def test_makes_the_same_call_as_kdsharp_main(self, workdir):
        calls = []
        flags = ["--config.epochs=3", "--config.name=mine", *filter(None, [workdir])]
        with (
            absltest.mock.patch.object(experiment, "set_up"),
            absltest.mock.patch.object(
                experiment, "run", lambda *arguments: calls.append(arguments)
            ),
        ):
            self.assertEqual(_captured(cli.main, ["train", _STUDENT, *flags])[0], 0)
            with flagsaver.flagsaver():
                rest = main.parse(["main", f"--config={_STUDENT}", *flags])
                self.assertEqual(_captured(main.main, rest)[0], 0)
        (first, folder), (second, other) = calls
        self.assertEqual(first.to_json(), second.to_json())
        self.assertEqual(first.epochs, 3)
        self.assertEqual(folder, other)
        self.assertEqual(folder, Path("elsewhere" if workdir else "runs/mine"))

    @parameterized.parameters(
        (["nowhere.py"], "kdsharp: there is no config nowhere.py; give one such as"),
        ([_STUDENT, "--config.log_every=0"], "kdsharp: config.log_every must be at"),
        ([_STUDENT, "--confg.epochs=1"], "kdsharp: Unknown command line flag 'confg"),
        ([_STUDENT, "more"], "kdsharp: 'more' is not a flag"),
    )
    def test_user_errors_are_one_sentence(self, arguments, message):
        status, out, err = _captured(cli.main, ["train", *arguments])
        self.assertEqual((status, out), (2, ""))
        self.assertStartsWith(err, message)
        self.assertLen(err.splitlines(), 1)

    def test_other_verbs_refuse_config_flags(self):
        with self.assertRaises(SystemExit):
            _captured(cli.main, ["weights", "list", "--config.epochs=3"])


if __name__ == "__main__":
    absltest.main()
