"""What the documentation says can be followed: its links, commands and Python."""

import argparse
import importlib.util
import io
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import skimage.data
import yaml
from absl.testing import absltest
from PIL import Image

from kdsharp import cli, config_files
from kdsharp.errors import UserError
from tests.cli.running import run

_ROOT = Path(__file__).parents[2]
_PAGES = sorted([*_ROOT.glob("*.md"), *_ROOT.glob("docs/**/*.md")])
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)

# Programs of others, which are not asked whether they like their arguments.
_OTHERS = {
    "curl",
    "docker",
    "ffmpeg",
    "jupyter",
    "mkdocs",
    "mpv",
    "pre-commit",
    "twine",
}
# They take no time and need nothing.
_CHEAP = (
    "kdsharp models",
    "kdsharp weights list",
    "kdsharp weights info dncnn17-bicubic2",
    "kdsharp sharpen photo.jpg",
    "kdsharp train student:full --show",
)


def _name(page: Path) -> str:
    return page.relative_to(_ROOT).as_posix()


def _commands(page: Path) -> Iterator[list[str]]:
    """The commands of a page's blocks, in words."""
    for language, block in _FENCE.findall(page.read_text()):
        if language not in ("", "bash", "sh"):
            continue
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            while "&&" in words:
                at = words.index("&&")
                yield words[:at]
                words = words[at + 1 :]
            if words:
                yield words


def _until_redirection(words: list[str]) -> list[str]:
    return words[: next((i for i, w in enumerate(words) if w in "<>|"), len(words))]


def _extras() -> set[str]:
    setup = (_ROOT / "setup.py").read_text()
    listed = setup[setup.index("extras_require") :]
    return set(re.findall(r'^        "([\w-]+)": \[', listed, re.M))


def _anchors(page: Path) -> set[str]:
    """The anchors of headings, as MkDocs and code hosts make them."""
    text = _FENCE.sub("", page.read_text())
    found = set()
    for heading in re.findall(r"^#+ (.+)$", text, re.M):
        words = re.sub(r"[^\w\s-]", "", heading.lower())
        found.add(re.sub(r"\s+", "-", words.strip()))
    return found


class LinksTest(absltest.TestCase):
    def test_each_leads_somewhere(self):
        count = 0
        for page in _PAGES:
            for target in _LINK.findall(_FENCE.sub("", page.read_text())):
                if "://" in target or target.startswith("mailto:"):
                    continue
                path, _, anchor = target.partition("#")
                found = (page.parent / path).resolve() if path else page
                self.assertTrue(found.exists(), f"{_name(page)}: {target}")
                if anchor:
                    self.assertIn(anchor, _anchors(found), f"{_name(page)}: {target}")
                count += 1
        self.assertGreater(count, 100)

    def test_each_page_is_in_the_navigation(self):
        text = (_ROOT / "mkdocs.yml").read_text()
        listed = set(re.findall(r"[\w/-]+\.md", text))
        for page in sorted((_ROOT / "docs").rglob("*.md")):
            name = page.relative_to(_ROOT / "docs").as_posix()
            # The site adds what is new in inside/ by itself.
            if not name.startswith("inside/"):
                self.assertIn(name, listed)
        self.assertEqual(yaml.safe_load(text)["docs_dir"], "docs")

    def test_the_front_page_is_short(self):
        self.assertLess((_ROOT / "README.md").stat().st_size, 9000)


class CommandsTest(absltest.TestCase):
    def test_each_is_one_that_there_is(self):
        checked, faults = 0, []
        for page in _PAGES:
            for words in _commands(page):
                checked += 1
                try:
                    self._check(_until_redirection(words))
                except (AssertionError, UserError) as error:
                    faults.append(f"{_name(page)}: {shlex.join(words)}: {error}")
        self.assertEmpty(faults)
        self.assertGreater(checked, 60)

    def _check(self, words: list[str]) -> None:
        match words:
            case ["kdsharp", "train", config, *flags]:
                self._parse(["train", config])
                overrides = [flag for flag in flags if flag.startswith("--config.")]
                config_files.load_experiment(config, overrides)
            case ["kdsharp", *arguments]:
                self._parse(arguments)
            case ["python", "-m", "kdsharp.main", *flags]:
                [config] = [f for f in flags if f.startswith("--config=")]
                overrides = [f for f in flags if f.startswith("--config.")]
                config_files.load_experiment(config.partition("=")[2], overrides)
            case ["python" | "sbatch" as program, *rest] if rest[0] != "-m":
                self.assertTrue((_ROOT / rest[0]).exists(), program)
            case ["python", "-m", module, *_]:
                if module not in ("build", "venv", "http.server"):
                    self.assertIsNotNone(importlib.util.find_spec(module), module)
            case ["pip", "install", *given]:
                for text in given:
                    found = re.fullmatch(r"(?:\.|kdsharp)\[(.+)\]", text)
                    for extra in found[1].split(",") if found else ():
                        self.assertIn(extra, _extras())
            case [".ci/run" | ".ci/steps" | ".ci/programs" as script, *_]:
                self.assertTrue((_ROOT / script).exists())
            case [".", path]:
                self.assertEqual(path, ".venv/bin/activate")
            case [program, *_]:
                self.assertIn(program, _OTHERS)

    def _parse(self, arguments: list[str]) -> None:
        try:
            cli._parser().parse_args(arguments)
        except SystemExit as end:
            self.assertFalse(end.code, "its own parser refuses it")

    def test_verbs_that_prose_names_exist(self):
        verbs, faults = self._verbs(cli._parser()), []
        for page in _PAGES:
            prose = _FENCE.sub("", page.read_text())
            for named in re.findall(r"`kdsharp ([a-z][^`]*)`", prose):
                words, found = named.split(), verbs
                while found and words and re.fullmatch(r"[a-z]+", words[0]):
                    if words[0] not in found:
                        faults.append(f"{_name(page)}: kdsharp {named}")
                    found = found.get(words.pop(0))
        self.assertEmpty(faults)

    def _verbs(self, parser: argparse.ArgumentParser) -> dict:
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                return {n: self._verbs(p) for n, p in action.choices.items()}
        return {}

    def test_the_cheap_ones_run(self):
        folder = Path(self.create_tempdir().full_path)
        photograph = folder / "photo.jpg"
        Image.fromarray(skimage.data.astronaut()[:64, :96]).save(photograph)
        shown = {shlex.join(c) for page in _PAGES for c in _commands(page)}
        for command in _CHEAP:
            self.assertIn(command, shown)
            words = command.replace("photo.jpg", str(photograph)).split()[1:]
            status, _, complaints = run(*words)
            self.assertEqual(status, 0, f"{command}: {complaints}")
        self.assertTrue((folder / "photo.sharp.jpg").exists())


class PythonTest(absltest.TestCase):
    def test_it_runs(self):
        picture = np.full((16, 24, 3), 99, np.uint8)
        blocks = 0
        for page in _PAGES:
            for language, block in _FENCE.findall(page.read_text()):
                if language == "python":
                    names = {"picture": picture}
                    exec(compile(block, _name(page), "exec"), names)
                    blocks += 1
        self.assertGreater(blocks, 0)


class SiteTest(absltest.TestCase):
    def test_each_step_and_notebook_becomes_part_of_it(self):
        site = str(_ROOT / "docs/site")
        sys.path.insert(0, site)
        self.addCleanup(sys.path.remove, site)
        import degradation_steps
        import notebook_pages

        from kdsharp.core import degradations

        self.assertEqual(degradation_steps.EXAMPLES.keys(), degradations.STEPS.keys())
        for specs in degradation_steps.EXAMPLES.values():
            for spec in specs:
                degradations.create(spec)
        words = degradation_steps.sections()
        for name, spec in degradations.NAMED.items():
            self.assertIn(f"### {name}\n\n`{spec}`", words["named"])
        for path in sorted((_ROOT / "notebooks").glob("*.ipynb")):
            page, pictures = notebook_pages.render(path)
            self.assertStartsWith(page, "# ")
            self.assertNotEmpty(pictures)
            for name, content in pictures.items():
                self.assertIn(f"]({name})", page)
                Image.open(io.BytesIO(content)).verify()


if __name__ == "__main__":
    absltest.main()
