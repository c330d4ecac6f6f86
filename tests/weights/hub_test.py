"""Shared folders of weights, model cards, and the cache of huggingface_hub."""

import json
import os
import pathlib
import subprocess
import sys

import yaml
from absl.testing import absltest

from kdsharp.base import optional
from kdsharp.weights import model_cards, store
from tests.cli.running import run

_NAME = "rt-s-call"
_COMMIT = "0123456789abcdef0123456789abcdef01234567"


class FolderTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)

    def test_written_folder_can_be_loaded(self):
        shared, pulled = self.folder / "shared", self.folder / "pulled"
        status, out, complaints = run("weights", "push", _NAME, shared)
        self.assertEqual((status, complaints), (0, ""))
        names = [f"{_NAME}.json", f"{_NAME}.safetensors", "README.md"]
        self.assertCountEqual([pathlib.Path(x).name for x in out.split()], names)
        self.assertEqual(run("weights", "pull", shared, pulled)[0], 0)
        for name in names[:2]:
            original = store.locate(_NAME).with_name(name)
            self.assertEqual((pulled / name).read_bytes(), original.read_bytes())
        self.assertEqual(store.load(str(pulled)).card["name"], _NAME)

    def test_existing_files_are_not_overwritten(self):
        self.assertEqual(run("weights", "push", _NAME, self.folder)[0], 0)
        readme = self.folder / "README.md"
        readme.write_text("mine")
        status, _, complaints = run("weights", "push", _NAME, self.folder)
        self.assertEqual(status, 2)
        self.assertIn("exists", complaints)
        self.assertEqual(readme.read_text(), "mine")
        status, _, _ = run("weights", "push", _NAME, self.folder, "--overwrite")
        self.assertEqual(status, 0)
        self.assertIn("library_name", readme.read_text())


class ModelCardTest(absltest.TestCase):
    def test_model_cards_have_front_matter_and_all_scores(self):
        for name in store.shipped():
            file = store.locate(name)
            card = store.read_card(file)
            _, front, body = model_cards.markdown(file).split("---\n", 2)
            told = yaml.safe_load(front)
            if card["licence"] == "Apache-2.0":
                self.assertEqual(told["license"], "apache-2.0")
            else:
                self.assertEqual(told["license"], "other")
                self.assertEqual(told["license_name"], card["licence"])
            self.assertIn(f"# {name}\n", body)
            self.assertIn(card["data_licence"], body)
            for test, networks in card["scores"].items():
                self.assertIn(test, body)
                for value in networks.get("network", {}).values():
                    self.assertIn(f"{value:.4g}", body)


class HubTest(absltest.TestCase):
    """Runs in subprocesses, since the package reads its cache location on import."""

    def _python(self, code: str, cache: pathlib.Path) -> subprocess.CompletedProcess:
        environment = {"HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "1"}
        return subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
        )

    @absltest.skipUnless(
        optional.installed("huggingface_hub"), "huggingface-hub is not installed"
    )
    def test_cached_repository_is_loaded_offline(self):
        cache = pathlib.Path(self.create_tempdir().full_path)
        repository = cache / "models--somebody--sharpener"
        run("weights", "push", _NAME, repository / "snapshots" / _COMMIT)
        (repository / "refs").mkdir()
        (repository / "refs/main").write_text(_COMMIT)
        code = (
            "import json, kdsharp; "
            "print(json.dumps(kdsharp.load('somebody/sharpener').card))"
        )
        done = self._python(code, cache)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["name"], _NAME)
        code = (
            "import sys; from kdsharp import cli; "
            "sys.exit(cli.main(['weights', 'info', 'somebody/else']))"
        )
        done = self._python(code, cache)
        self.assertEqual(done.returncode, 2)
        self.assertStartsWith(done.stderr, "kdsharp: no weights 'somebody/else': ")
        self.assertEqual(done.stderr.count("\n"), 1)

    @absltest.skipIf(
        optional.installed("huggingface_hub"), "huggingface-hub is installed"
    )
    def test_missing_package_names_the_extra(self):
        status, _, complaints = run("weights", "info", "somebody/sharpener")
        self.assertEqual(status, 2)
        self.assertIn("kdsharp[hub]", complaints)


if __name__ == "__main__":
    absltest.main()
