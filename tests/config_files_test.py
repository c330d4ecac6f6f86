"""Loading configs from files and by name, and errors with their line."""

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

from absl.testing import absltest, parameterized

from kdsharp.config_files import load_config, load_experiment, override
from kdsharp.errors import UserError

_ROOT = Path(__file__).parents[1]
_USES_BASE = """from configs import base

def get_config(variant="quick"):
    config = base.get_config()
    config.name = variant
    return config
"""


class FilesTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = Path(self.create_tempdir().full_path)

    def _write(self, text: str) -> Path:
        path = self.folder / "mine.py"
        path.write_text(text)
        return path

    @parameterized.parameters(
        ("x = 1\n", "mine.py: this is not a config, since it has no get_config()"),
        ("def get_config(:\n", "mine.py, line 1: SyntaxError: "),
        ("import nowhere_at_all\n", "line 1: ModuleNotFoundError: No module named"),
        (
            "def get_config():\n    return missing\n",
            "mine.py, line 2: NameError: name 'missing' is not defined",
        ),
        # An AttributeError inside get_config() is not a missing get_config().
        (
            "def get_config():\n    x = []\n    return x.data\n",
            "mine.py, line 3: AttributeError: 'list' object has no attribute 'data'",
        ),
        (
            "def get_config():\n    return _deep()\n\n"
            "def _deep():\n    return int('a')\n",
            "mine.py, line 5: ValueError: invalid literal",
        ),
        (
            _USES_BASE.replace("variant\n", "variant\n    config.seed = 'a'\n"),
            "mine.py, line 6: TypeError: ",
        ),
        ("def get_config():\n    return {}\n", "must return a ConfigDict, not a dict"),
    )
    def test_error_in_a_config_is_reported_with_its_line(self, text, message):
        path = self._write(text)
        with self.assertRaises(UserError) as raised:
            load_config(str(path))
        self.assertIn(message, str(raised.exception))
        self.assertLen(str(raised.exception).splitlines(), 1)

    def test_variant_of_a_file_without_variants_is_a_user_error(self):
        path = self._write(
            _USES_BASE.replace('variant="quick"', "").replace("variant", "'a'")
        )
        self.assertEqual(load_config(str(path)).name, "a")
        with self.assertRaisesRegex(UserError, "it has no variants; leave out ':full'"):
            load_config(f"{path}:full")

    def test_file_anywhere_can_import_the_base(self):
        path = self._write(_USES_BASE)
        self.assertEqual(load_experiment(f"{path}:long").name, "long")

    def test_copy_of_the_configs_uses_its_own_base(self):
        configs = self.folder / "configs"
        configs.mkdir()
        (configs / "mine.py").write_text(_USES_BASE)
        base = (_ROOT / "configs" / "base.py").read_text()
        (configs / "base.py").write_text(base.replace("seed = 0", "seed = 7"))
        self.assertEqual(load_config(f"{configs / 'mine.py'}").seed, 7)
        self.assertEqual(load_config(f"{_ROOT}/configs/student.py").seed, 0)

    def test_other_modules_named_configs_are_not_affected(self):
        theirs = ModuleType("configs")
        with absltest.mock.patch.dict(sys.modules, configs=theirs):
            load_config(f"{_ROOT}/configs/student.py")
            self.assertIs(sys.modules["configs"], theirs)

    @parameterized.parameters(
        ("student", "student"),
        ("student:full", "student"),
        ("zoo/calls:rt-m-call", "rt-m-call"),
        ("helen_dncnn:smoke", "helen_dncnn_smoke"),
    )
    def test_configs_of_the_clone_by_name(self, spec, name):
        self.assertEqual(load_experiment(spec).name, name)

    def test_unknown_name_lists_the_known_ones(self):
        with self.assertRaisesRegex(
            UserError, "unknown config 'studnet'.* student, tea"
        ):
            load_config("studnet")
        with self.assertRaisesRegex(
            UserError, "no config nowhere.py; give one such as"
        ):
            load_config("nowhere.py:full")

    def test_overrides_keep_the_type(self):
        config = override(
            load_config("student"),
            [
                "--config.batch_size=4",
                "--config.data.workers",
                "2",
                "--config.optimizer.learning_rate=1",
                "--config.model.norm_after=(1,2)",
                "--config.objective.ssim=0.1",
            ],
        )
        self.assertEqual(config.batch_size, 4)
        self.assertEqual(config.data.workers, 2)
        self.assertIsInstance(config.optimizer.learning_rate, float)
        self.assertEqual(config.model.norm_after, (1, 2))
        self.assertEqual(config.objective.ssim, 0.1)
        for flag, message in (
            ("--config.model.widht=3", "no entry 'model.widht'; did you mean"),
            ("--batch_size=3", "Unknown command line flag 'batch_size'"),
            ("stray", "'stray' is not a flag"),
        ):
            with self.assertRaisesRegex(UserError, message):
                override(load_config("student"), [flag])

    def test_main_accepts_a_file_anywhere(self):
        path = self._write(_USES_BASE)
        finished = subprocess.run(
            [
                *(sys.executable, "-m", "kdsharp.main", f"--config={path}"),
                "--config.log_every=0",
            ],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(_ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(
            (finished.returncode, finished.stderr),
            (2, "kdsharp: config.log_every must be at least 1, not 0\n"),
        )


if __name__ == "__main__":
    absltest.main()
