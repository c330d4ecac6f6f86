"""The window of a live stream: its keys, by a display that nobody sees."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import unittest
from unittest import mock

import numpy as np
import pytest
from absl.testing import absltest

from kdsharp.media.video import fields
from kdsharp.media.video.encoding import Encoding
from kdsharp.media.video.live import streaming, window
from kdsharp.media.video.live.adjusting import AdjustableRestoration
from kdsharp.runtime.options import RestoreOptions
from tests import displays, waiting
from tests.media.video import films
from tests.media.video.films import Picture, view

_MODEL = "rt-s-bicubic2"


@pytest.mark.slow
@unittest.skipUnless(
    all(map(shutil.which, ("mpv", "Xvfb", "xdotool"))), "needs mpv, Xvfb, xdotool"
)
class KeysTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        display = self.enterContext(displays.hidden())
        self.enterContext(mock.patch.dict(os.environ, display))

    def _xdotool(self, *arguments):
        done = subprocess.run(
            ["xdotool", *arguments], capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    def _press(self, keys):
        """Presses keys until the title has the words, for each in turn."""
        search = ("search", "--onlyvisible", "--name", "dropped")
        waiting.until(lambda: self._xdotool(*search), "a window")
        shown = self._xdotool(*search).split()[0]

        def has_focus():
            self._xdotool("windowfocus", shown)
            return self._xdotool("getwindowfocus", "-f") == shown

        waiting.until(has_focus, "the window's focus")
        for key, words in keys:
            self._xdotool("key", key)
            waiting.until(
                lambda words=words: words in self._xdotool("getwindowname", shown),
                f"a title with {words}",
            )
            self.titles.append(self._xdotool("getwindowname", shown))
        self._xdotool("key", "q")

    def test_keys_are_heard_and_the_title_tells(self):
        source = films.write(self.folder / "in.mp4", Picture(durations=(3600,) * 6000))
        self.titles = []
        keys = [
            ("space", "strength 1.0, compare"),
            ("Right", "strength 1.1, compare"),
            ("Left", "strength 1.0, compare"),
            ("Left", "strength 0.9, compare"),
        ]
        failures = []

        def press():
            try:
                self._press(keys)
            except BaseException as failure:
                failures.append(failure)
                self._xdotool("key", "q")

        pressing = threading.Thread(target=press)
        pressing.start()
        report = streaming.restore(
            *(str(source), "window", RestoreOptions(model=_MODEL), Encoding()),
            duration=waiting.PATIENCE,
        )
        pressing.join()
        self.assertEqual(failures, [])
        self.assertBetween(report.frames, 1, 5999)
        for title in self.titles:
            self.assertRegex(title, r"^(\d+ ms, )?\d+ dropped, strength")


class AdjustingTest(absltest.TestCase):
    def _frames(self):
        return films.frames(Picture(width=64, height=48))

    def _restored(self, **options):
        restore = fields.FieldwiseRestoration(RestoreOptions(model=_MODEL, **options))
        first, frame = self._frames()[:2]
        restore.prepare(first)
        return view(restore(frame)).copy()

    def test_a_new_strength_is_as_if_it_began_so(self):
        restore = AdjustableRestoration(RestoreOptions(model=_MODEL))
        restore.prepare(self._frames()[0])
        for words, strength in (
            (["stronger"] * 3, 1.3),
            (["stronger"] * 9, 1.5),
            (["weaker"] * 20, 0.0),
            (["stronger"] * 10, 1.0),
        ):
            for word in words:
                restore.press(word)
            restore.close()
            self.assertEqual(str(restore), f"strength {strength:.1f}")
            np.testing.assert_array_equal(
                view(restore(self._frames()[1])), self._restored(strength=strength)
            )

    def test_the_split_screen_comes_and_goes(self):
        restore = AdjustableRestoration(RestoreOptions(model=_MODEL))
        restore.prepare(self._frames()[0])
        restored = self._restored()
        for compare in (True, False):
            restore.press("compare")
            found = view(restore(self._frames()[1]))
            wanted = self._restored(compare=True) if compare else restored
            np.testing.assert_array_equal(found, wanted)
            same = np.array_equal(found[:, :30], view(self._frames()[1])[:, :30])
            self.assertEqual(same, compare)

    def test_a_machine_without_mpv_has_another_window(self):
        with mock.patch.object(shutil, "which", lambda name: None):
            self.assertFalse(window.installed())


if __name__ == "__main__":
    absltest.main()
