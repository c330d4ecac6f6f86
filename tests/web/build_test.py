"""`kdsharp web build`: content and size of a site, and errors."""

import json
import os
import pathlib
import shutil
from importlib import resources
from unittest import mock

from absl.testing import absltest, parameterized

from kdsharp.base import optional
from kdsharp.web import runtime
from tests.cli.running import run


@absltest.skipIf(not optional.installed("onnx"), "onnx is not installed")
class BuildTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        # Whether it runs is for the browser to tell; here it is only copied.
        self.copy = self.folder / "package" / "dist"
        self.copy.mkdir(parents=True)
        for name in runtime.FILES:
            (self.copy / name).write_bytes(name.encode())
        self.out = self.folder / "site"

    def _build(self, *arguments):
        return run("web", "build", self.out, *arguments)

    def test_site_with_one_network_is_small(self):
        status, told, _ = self._build(
            "--models", "rt-s-call", "--runtime", self.copy.parent
        )
        self.assertEqual(status, 0)
        files = [path for path in self.out.rglob("*") if path.is_file()]
        beside = [path for path in files if path.parent.name != "runtime"]
        self.assertLess(sum(path.stat().st_size for path in beside), 215_000)
        self.assertLen(files, len(beside) + len(runtime.FILES))
        listed = json.loads((self.out / "site.json").read_text())
        (network,) = listed["networks"]
        self.assertEqual(
            (network["name"], network["channels"], network["multiple"]),
            ("rt-s-call", 1, 2),
        )
        self.assertTrue((self.out / "networks" / network["graph"]).is_file())
        self.assertRegex(told, r"page +\d+ kB\nnetworks +1; the first, rt-s-call")

    def test_live_networks_are_luma_and_fast(self):
        names = ("rt-m-call", "rt-xl-bicubic2", "dncnn8-call")
        status, _, _ = self._build("--models", *names, "--runtime", self.copy)
        self.assertEqual(status, 0)
        listed = json.loads((self.out / "site.json").read_text())["networks"]
        self.assertEqual([network["name"] for network in listed], list(names))
        self.assertEqual([network["live"] for network in listed], [True, False, False])
        modules = {path.name for path in self.out.glob("networks/*.wasm")}
        self.assertEqual(modules, {"rt-m-call.wasm"})

    def test_teachers_are_paired_by_the_cards_and_the_blur(self):
        zoo = pathlib.Path(str(resources.files("kdsharp.weights") / "zoo"))
        # The same student, which says it learned from a teacher of another blur.
        strange = self.folder / "strange.safetensors"
        shutil.copy(zoo / "rt-s-bicubic2.safetensors", strange)
        card = json.loads((zoo / "rt-s-bicubic2.json").read_text())
        card["name"] = "strange"
        card["recipe"]["teacher"]["weights"] = "rt-m-call"
        strange.with_suffix(".json").write_text(json.dumps(card))
        wanted = {
            "rt-s-call": [],
            "rt-m-call": [],
            "rt-s-bicubic2": ["rt-xl-bicubic2"],
            "rt-xl-bicubic2": [],
            "strange": [],
        }
        names = [*list(wanted)[:-1], str(strange)]
        status, _, complaints = self._build("--models", *names, "--runtime", self.copy)
        self.assertEqual(status, 0, complaints)
        listed = json.loads((self.out / "site.json").read_text())["networks"]
        self.assertEqual({entry["name"]: entry["teachers"] for entry in listed}, wanted)

    def test_only_sites_are_replaced(self):
        arguments = ("--models", "rt-s-call", "--runtime", self.copy)
        self.assertEqual(self._build(*arguments)[0], 0)
        (self.out / "old.html").write_text("of the last version")
        self.assertEqual(self._build(*arguments)[0], 0)
        self.assertFalse((self.out / "old.html").exists())
        (self.out / "site.json").unlink()
        status, _, complaints = self._build(*arguments)
        self.assertEqual(status, 2)
        self.assertIn("holds something other than a site", complaints)
        self.assertTrue((self.out / "index.html").exists())
        self.assertEqual(sorted(os.listdir(self.folder)), ["package", "site"])

    @parameterized.parameters(
        (("--runtime", "{}/nothing"), "is not onnxruntime-web (ort.wasm"),
        (("--runtime", "{}/package", "--models", "nobody"), "no weights 'nobody'"),
    )
    def test_user_errors_are_one_sentence_and_write_nothing(self, arguments, words):
        arguments = [argument.format(self.folder) for argument in arguments]
        status, told, complaints = self._build(*arguments)
        self.assertEqual((status, told), (2, ""))
        self.assertIn(words, complaints)
        self.assertLen(complaints.splitlines(), 1)
        self.assertEqual(os.listdir(self.folder), ["package"])

    def test_unwritable_outputs_are_reported(self):
        status, _, complaints = run("web", "build", "/proc/site")
        self.assertEqual(status, 2)
        self.assertRegex(complaints, "/proc/site cannot be written .*: check /proc")
        status, _, complaints = run("web", "build", self.copy / runtime.FILES[0])
        self.assertEqual(status, 2)
        self.assertIn("is a file: give a folder", complaints)

    def test_missing_npm_is_reported(self):
        empty = self.folder / "empty"
        empty.mkdir()
        wishes = {"PATH": str(empty), "KDSHARP_CACHE": str(empty)}
        with mock.patch.dict(os.environ, wishes):
            status, _, complaints = self._build()
        self.assertEqual(status, 2)
        self.assertRegex(complaints, "npm, .*, is not installed.* --runtime DIR")
        self.assertFalse(self.out.exists())

    @absltest.skipIf(not shutil.which("npm"), "npm is not installed")
    def test_unreachable_registry_is_reported(self):
        wishes = {
            "KDSHARP_CACHE": str(self.folder / "cache"),
            # Nobody listens there.
            "npm_config_registry": "http://127.0.0.1:9/",
            "npm_config_fetch_retries": "0",
            "npm_config_cache": str(self.folder / "npm"),
        }
        with mock.patch.dict(os.environ, wishes):
            status, _, complaints = self._build()
        self.assertEqual(status, 2)
        self.assertRegex(
            complaints, "npm could not download onnxruntime-web@.* --runtime"
        )
        self.assertLen(complaints.splitlines(), 1)
        self.assertFalse(self.out.exists())


if __name__ == "__main__":
    absltest.main()
