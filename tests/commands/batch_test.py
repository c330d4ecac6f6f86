"""`kdsharp batch`: resuming after a kill, errors and names."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from absl.testing import absltest
from PIL import Image

from kdsharp.batching import names
from tests import waiting
from tests.cli import running

# Several processes run one after another, possibly on a busy machine.
pytestmark = pytest.mark.timeout(600)

_COUNT = 240
_FEW = 10
_ATTEMPTS = 5
_KINDS = ("jpg", "png", "webp")


def _write_pictures(folder: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    written = []
    for index in range(_COUNT):
        # Large enough for a run to be killed while it is at work.
        height, width = rng.integers(100, 300, 2)
        blocks = rng.integers(0, 256, (height // 5 + 1, width // 5 + 1, 3), np.uint8)
        picture = blocks.repeat(5, 0).repeat(5, 1)[:height, :width]
        path = folder / str(index % 5) / f"{index:04d}.{_KINDS[index % 3]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
        written.append(path)
    return written


def _command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "kdsharp.cli", *map(str, arguments)]


def _run(*arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        _command(*arguments),
        capture_output=True,
        text=True,
        check=False,
        timeout=waiting.PATIENCE,
    )


def _count(folder: Path) -> int:
    return sum(
        len(names)
        for place, _, names in os.walk(folder)
        if ".batch" not in Path(place).parts
    )


def _files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".batch" not in path.parts
    }


class BatchTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._folder = tempfile.TemporaryDirectory()
        cls.root = Path(cls._folder.name)
        cls.pictures = _write_pictures(cls.root / "in")
        half = cls.pictures[0].read_bytes()[:700]
        (cls.root / "in" / "0" / "broken.jpg").write_bytes(half)
        # A PNG with the wrong extension.
        (cls.root / "in" / "1" / "named.jpg").write_bytes(cls.pictures[1].read_bytes())
        cls.glob = str(cls.root / "in" / "**")

    @classmethod
    def tearDownClass(cls):
        cls._folder.cleanup()
        super().tearDownClass()

    def _killed_half_way(self) -> tuple[Path, int]:
        """Kills a run at work; returns its output folder and the number of pictures.

        On a busy machine the run may end before it is killed; then it is repeated.
        """
        for attempt in range(_ATTEMPTS):
            out = self.root / f"out{attempt}"
            process = subprocess.Popen(_command("batch", self.glob, out))
            deadline = time.monotonic() + waiting.PATIENCE
            while time.monotonic() < deadline and process.poll() is None:
                if _count(out) > _FEW:
                    break
                time.sleep(0.01)
            os.kill(process.pid, signal.SIGKILL)
            killed = process.wait() == -signal.SIGKILL
            before = _count(out)
            if killed and _FEW <= before <= _COUNT:
                return out, before
        return self.fail(f"killed {_ATTEMPTS} times, never at work")

    @pytest.mark.slow
    def test_a_killed_run_resumes_and_matches_sharpen(self):
        out, before = self._killed_half_way()

        finished = _run("batch", self.glob, out, "--workers", 2)
        self.assertEqual(finished.returncode, 1, finished.stderr)
        self.assertIn(
            f"{_COUNT + 1 - before} sharpened, {before} skipped, 1 failed",
            finished.stdout,
        )
        self.assertRegex(finished.stdout, r"worker \S+:\d+: \d+")
        (bad,) = map(json.loads, (out / "dead-letters.jsonl").open())
        self.assertEqual(bad["picture"], str(self.root / "in" / "0" / "broken.jpg"))
        self.assertIn("damaged", bad["why"])
        self.assertNotIn("Traceback", finished.stderr)

        alone = self.root / "alone"
        _run("sharpen", self.root / "in", "-o", alone, "--backend", "onnxruntime")
        self.assertEqual(
            {path.name for path in out.iterdir()},
            {".batch", "dead-letters.jsonl", *map(str, range(5))},
        )
        expected, made = _files(alone), _files(out)
        del made["dead-letters.jsonl"]
        expected["1/named.jpg.png"] = expected.pop("1/named.png")
        self.assertLen(made, _COUNT + 1)
        self.assertEqual(made.keys(), expected.keys())
        self.assertEmpty([name for name in made if made[name] != expected[name]])

        refused = _run("batch", self.glob, out, "--strength", 0.5)
        self.assertEqual(refused.returncode, 2)
        self.assertRegex(
            refused.stderr,
            r"^kdsharp: .* made with other options \(strength: 1.0 before, 0.5 now",
        )

    def test_user_errors_are_one_sentence(self):
        for arguments, words in (
            ((self.root / "none*", self.root / "no"), "no files match"),
            ((self.glob, self.root / "no", "--strength", 2), "out of range"),
            ((self.glob, self.root / "no", "--runner", "Moon"), "Moon"),
        ):
            status, _, complaints = running.run("batch", *arguments)
            self.assertEqual(status, 2, complaints)
            (sentence,) = complaints.splitlines()
            self.assertRegex(sentence, f"^kdsharp: .*{words}")
        self.assertEmpty(_files(self.root / "no"))

    def test_names_that_differ_only_in_extension_stay_distinct(self):
        places = ("a.png", "a.jpg", "a.jpeg", "a.gif", "a.png.gif", "b/a.png")
        for format_ in ("PNG", "JPEG", "GIF"):
            found = {
                names.job(f"/in/{place}", "/in/**", "/out").target(format_)
                for place in places
            }
            self.assertLen(found, len(places))

    def test_files_in_the_output_folder_are_not_inputs(self):
        self.assertTrue(names.is_below("in/sharp/a.png", "in/sharp"))
        self.assertTrue(names.is_below("gs://b/sharp/x/a.png", "gs://b/sharp/"))
        self.assertFalse(names.is_below("in/sharper/a.png", "in/sharp"))

    def test_root_is_the_fixed_part_of_a_pattern(self):
        for glob, root in (
            ("in/**/*.jpg", "in/"),
            ("in/a?/x.jpg", "in/"),
            ("in/x.jpg", "in/"),
            ("*.jpg", ""),
            ("gs://bucket/a/*/b.jpg", "gs://bucket/a/"),
        ):
            self.assertEqual(names.root(glob), root)


if __name__ == "__main__":
    absltest.main()
