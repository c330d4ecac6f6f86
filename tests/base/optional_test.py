"""Optional packages: imported, or a message that names the extra."""

import re
import runpy
from pathlib import Path
from unittest import mock

from absl.testing import absltest, parameterized

from kdsharp.base import optional
from kdsharp.errors import UserError

_ROOT = Path(__file__).parents[2]


def _extras() -> dict[str, list[str]]:
    with mock.patch("setuptools.setup") as setup, mock.patch("os.getcwd"):
        runpy.run_path(str(_ROOT / "setup.py"))
    return setup.call_args.kwargs["extras_require"]


class OptionalTest(parameterized.TestCase):
    @parameterized.parameters(*optional.EXTRAS)
    def test_extra_installs_the_package(self, module):
        package, extra = optional.EXTRAS[module]
        required = [re.match(r"[\w-]+", line)[0] for line in _extras()[extra]]
        self.assertIn(package, required)

    def test_installed_module_is_imported(self):
        import json

        self.assertEqual(optional.require("json", purpose="this"), [json])

    def test_message_for_a_missing_module_names_the_extra(self):
        with (
            mock.patch.object(optional, "installed", return_value=False),
            self.assertRaisesRegex(
                UserError,
                r"^reading video needs PyAV, which is not installed: "
                r"pip install 'kdsharp\[video\]'$",
            ),
        ):
            optional.require("av", purpose="reading video")


if __name__ == "__main__":
    absltest.main()
