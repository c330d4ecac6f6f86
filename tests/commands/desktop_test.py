"""`kdsharp desktop`: runs its actions as the file managers would."""

import configparser
import os
import shlex
import shutil
import subprocess
from pathlib import Path
from unittest import mock

import pytest
from absl.testing import absltest
from PIL import Image
from skimage import data

from tests.cli.running import run
from tests.media.video import films

_ROOT = Path(__file__).parents[2]


class DesktopTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = Path(self.create_tempdir().full_path)
        self.share = self.folder / "share"
        self.programs = self.folder / "programs"
        self.programs.mkdir()
        # Stands in for the desktop's notifications and records them.
        self.shown = self.folder / "shown"
        notify = self.programs / "notify-send"
        notify.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {self.shown}\n')
        notify.chmod(0o755)
        self.environment = os.environ | {
            "XDG_DATA_HOME": str(self.share),
            "PATH": f"{self.programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(_ROOT),
        }
        self.enterContext(mock.patch.dict(os.environ, self.environment))
        status, out, complaints = run("desktop", "install")
        self.assertEqual(status, 0, complaints)
        self.script, self.menu = map(Path, out.splitlines())
        self.photo = self.folder / "holiday photo's 1.jpg"
        Image.fromarray(data.astronaut()[:96, :128]).save(self.photo)

    def _run(self, command: list[str], **more: str) -> int:
        ended = subprocess.run(
            command,
            env=self.environment | more,
            capture_output=True,
            text=True,
            # File managers start programs in the folder that is open.
            cwd=self.folder,
        )
        return ended.returncode

    @pytest.mark.slow
    def test_gnome_action_writes_next_to_the_selected_files(self):
        film = films.write(self.folder / "call 2.mp4")
        selected = f"{self.photo}\n{film}\n"
        status = self._run(
            [str(self.script)], NAUTILUS_SCRIPT_SELECTED_FILE_PATHS=selected
        )
        self.assertEqual(status, 0, self.shown.read_text())
        with Image.open(self.folder / "holiday photo's 1.sharp.jpg") as made:
            self.assertEqual(made.size, (128, 96))
        self.assertLen(films.read(self.folder / "call 2.sharp.mp4"), 12)
        self.assertIn("call 2.sharp.mp4", self.shown.read_text())

    def test_dolphin_action_sharpens_the_selection(self):
        if shutil.which("desktop-file-validate"):
            subprocess.run(["desktop-file-validate", self.menu], check=True)
        menu = configparser.RawConfigParser()
        menu.optionxform = str
        menu.read(self.menu)
        command = shlex.split(menu["Desktop Action sharpen"]["Exec"])
        self.assertEqual(command.pop(), "%F")
        self.assertEqual(self._run([*command, str(self.photo)]), 0)
        self.assertTrue((self.folder / "holiday photo's 1.sharp.jpg").exists())

    @pytest.mark.slow
    def test_failures_are_shown_and_the_others_sharpened(self):
        letter = self.folder / "letter.txt"
        letter.write_text("no picture")
        selected = f"{letter}\n{self.photo}\n"
        status = self._run(
            [str(self.script)], NAUTILUS_SCRIPT_SELECTED_FILE_PATHS=selected
        )
        self.assertNotEqual(status, 0)
        self.assertIn("Some files could not be sharpened", self.shown.read_text())
        self.assertIn("letter.txt", self.shown.read_text())
        self.assertTrue((self.folder / "holiday photo's 1.sharp.jpg").exists())

    def test_remove_deletes_only_its_own_files(self):
        other = self.script.with_name("somebody's own")
        other.write_text("#!/bin/sh\n")
        self.assertEqual(run("desktop", "remove")[0], 0)
        self.assertFalse(self.script.exists() or self.menu.exists())
        self.assertTrue(other.exists())
        status, _, complaints = run("desktop", "remove")
        self.assertEqual(status, 2)
        self.assertIn("no actions are installed here", complaints)


if __name__ == "__main__":
    absltest.main()
