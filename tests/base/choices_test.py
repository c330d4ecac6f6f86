"""Error messages: for unknown names, and the style of all of them."""

import ast
import re
from pathlib import Path

from absl.testing import absltest

from kdsharp.base import choices

_PACKAGE = Path(__file__).parents[2] / "kdsharp"


def _messages():
    """Yields the place and text of every error message, with `{}` for values."""
    for path in sorted(_PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("UserError", "Stopped", "BadPictureError")
                and node.args
                and isinstance(node.args[0], ast.Constant | ast.JoinedStr)
            ):
                parts = getattr(node.args[0], "values", [node.args[0]])
                words = "".join(
                    str(part.value) if isinstance(part, ast.Constant) else "{}"
                    for part in parts
                )
                yield f"{path.relative_to(_PACKAGE)}:{node.lineno}", words


class UnknownTest(absltest.TestCase):
    def test_unknown_name_is_quoted_and_choices_are_listed(self):
        error = choices.unknown("colour", "red", ["blue", "green"])
        self.assertEqual(str(error), "unknown colour 'red'; choose one of: blue, green")

    def test_no_choices_are_listed_as_none(self):
        self.assertEqual(choices.listed([]), "none")


class StyleTest(absltest.TestCase):
    def test_messages_start_in_lower_case_and_have_no_full_stop(self):
        wrong = [
            f"{place}: {words}"
            for place, words in _messages()
            if re.match(r"[A-Z][a-z']* ", words) or re.search(r"(?<!\.)\.$", words)
        ]
        self.assertEmpty(wrong)

    def test_choices_are_listed_in_one_style(self):
        wrong = [
            f"{place}: {words}"
            for place, words in _messages()
            if re.search(r"unknown .*\b(there are|use one of|known are)\b", words)
        ]
        self.assertEmpty(wrong)


if __name__ == "__main__":
    absltest.main()
