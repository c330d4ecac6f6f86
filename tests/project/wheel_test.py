"""The wheel holds all that sharpening needs."""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
import skimage.data
from absl.testing import absltest
from PIL import Image

import kdsharp

_ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@absltest.skipUnless(
    importlib.util.find_spec("setuptools"), "setuptools is not installed"
)
class WheelTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Empty: what another version left in a shared folder would be taken for it.
        cls.folder = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        # Elsewhere than in the clone, where a build leaves files; links keep it small.
        clone = cls.folder / "clone"
        clone.mkdir()
        for name in ("kdsharp", "setup.py", "README.md", "LICENSE", "NOTICE"):
            (clone / name).symlink_to(_ROOT / name)
        script = (
            "import sys; from setuptools import build_meta; "
            "build_meta.build_wheel(sys.argv[1])"
        )
        subprocess.run(
            [sys.executable, "-c", script, cls.folder],
            cwd=clone,
            check=True,
            capture_output=True,
        )
        [cls.wheel] = cls.folder.glob("*.whl")
        cls.installed = cls.folder / "installed"
        with zipfile.ZipFile(cls.wheel) as wheel:
            wheel.extractall(cls.installed)

    def test_its_metadata_tell_what_it_is(self):
        [path] = self.installed.glob("*.dist-info")
        metadata = Parser().parsestr((path / "METADATA").read_text())
        self.assertEqual(metadata["Version"], kdsharp.__version__)
        self.assertEqual(metadata["License"], "Apache-2.0")
        self.assertNotEmpty(metadata["Keywords"])
        self.assertLen(metadata.get_all("Project-URL"), 4)
        self.assertIn("Programming Language :: Python :: 3.14", str(metadata.items()))
        self.assertNotIn("](docs/", metadata.get_payload())
        self.assertTrue((path / "licenses/NOTICE").exists())

    def test_it_sharpens_from_elsewhere(self):
        photograph = self.folder / "photo.jpg"
        Image.fromarray(skimage.data.astronaut()[:64, :96]).save(photograph)
        script = (
            "import sys, kdsharp, kdsharp.cli; print(kdsharp.__file__); "
            "sys.exit(kdsharp.cli.main(['sharpen', 'photo.jpg', '--overwrite']))"
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.installed)},
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(str(self.installed), done.stdout)
        with Image.open(self.folder / "photo.sharp.jpg") as picture:
            self.assertEqual(picture.size, (96, 64))


if __name__ == "__main__":
    absltest.main()
