"""Sentences for names that are none of those there are, and the style of all."""

import ast
import re
from pathlib import Path

from absl.testing import absltest

from kdsharp.base import choices

_PACKAGE = Path(__file__).parents[2] / "kdsharp"


def _sentences():
    """What errors of people say, with `{}` for what is filled in, and where."""
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
    def test_it_names_what_was_given_and_what_there_is(self):
        error = choices.unknown("colour", "red", ["blue", "green"])
        self.assertEqual(str(error), "unknown colour 'red'; choose one of: blue, green")

    def test_nothing_to_choose_from_is_said(self):
        self.assertEqual(choices.listed([]), "none")


class StyleTest(absltest.TestCase):
    def test_sentences_begin_in_lower_case_and_end_without_a_full_stop(self):
        wrong = [
            f"{place}: {words}"
            for place, words in _sentences()
            if re.match(r"[A-Z][a-z']* ", words) or re.search(r"(?<!\.)\.$", words)
        ]
        self.assertEmpty(wrong)

    def test_lists_of_choices_read_alike(self):
        wrong = [
            f"{place}: {words}"
            for place, words in _sentences()
            if re.search(r"unknown .*\b(there are|use one of|known are)\b", words)
        ]
        self.assertEmpty(wrong)


if __name__ == "__main__":
    absltest.main()
