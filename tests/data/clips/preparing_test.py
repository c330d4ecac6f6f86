"""Preparing clips, also after interruptions, and reading them as pairs."""

import os
import pathlib
import pickle
import signal
import subprocess
import sys
import tempfile
import threading

import jax
import numpy as np
import pytest
import skimage.data
from absl.testing import absltest, parameterized
from PIL import Image

from kdsharp.data import atlas, crops, pipeline, sources, splits
from kdsharp.data.clips import codecs, preparing, rebuilding, recipes, shards, source
from kdsharp.errors import UserError
from tests import waiting

_ROOT = pathlib.Path(__file__).parents[3]


def _photographs(root: pathlib.Path, count: int = 12) -> None:
    """Writes pictures, of which each split has some."""
    root.mkdir(parents=True)
    wanted = dict.fromkeys(("train", "valid", "test"), 0)
    number = 0
    while min(wanted.values()) < 1 or sum(wanted.values()) < count:
        name = f"p{number}.jpg"
        split = splits.hashed_split(name, recipes.SPLIT)
        if wanted[split] < (1 if split != "train" else count):
            base = Image.fromarray(
                (skimage.data.coffee, skimage.data.rocket)[number % 2]()
            )
            base.rotate(number, Image.Resampling.BICUBIC).save(root / name)
            wanted[split] += 1
        number += 1


def _bytes(folder: pathlib.Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class PreparingTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.root = pathlib.Path(folder)
        _photographs(cls.root / "photos")
        cls.held = preparing.prepare(cls.root / "photos", cls.root / "clips", count=36)

    def _source(self, split: str = "train") -> sources.Source:
        return sources.create(f"clips:{self.root}/clips", split)

    def test_summary_counts_the_clips(self):
        made = sum(self.held.clips.values())
        self.assertEqual(made + sum(self.held.refused.values()), 36)
        self.assertGreaterEqual(made, 33)
        self.assertEqual(sum(self.held.codecs.values()), made)
        self.assertContainsSubset(self.held.codecs, {*codecs.CODECS, "none"})
        streams = self.root / "clips/000000-000035.bin"
        self.assertEqual(self.held.size, streams.stat().st_size)

    @pytest.mark.slow
    def test_source_gives_decoded_frames_of_the_stream(self):
        names = list(shards.read_index(self.root / "clips").files)
        originals = rebuilding.OriginalFiles(self.root / "photos")
        held = self._source()
        self.assertLen(held, self.held.clips["train"] * len(source.FRAMES))
        self.assertEqual(held.smallest[1:], (recipes.HEIGHT, recipes.WIDTH))
        for index in (0, 5, 46, -1):
            record = held[index]
            _, clip, frame = record["key"].split("/")
            recipe = recipes.draw(0, int(clip), names)
            self.assertEqual(recipe.split, "train")
            stream = rebuilding.encode(recipe, originals)
            rebuilt = rebuilding.rebuild(recipe, stream, originals)
            place = rebuilt.numbers.index(int(frame))
            for role, pixels in zip(("sharp", "blurred"), rebuilt.rgb(), strict=True):
                self.assertEqual(record[role].dtype, np.uint8)
                np.testing.assert_array_equal(record[role], pixels[place])

    def test_pairs_show_the_same_picture(self):
        for record in self._source("valid"):
            sharp, blurred = (
                np.asarray(Image.fromarray(record[name]).resize((40, 24)), float)
                for name in ("sharp", "blurred")
            )
            self.assertLess(np.abs(sharp - blurred).mean(), 8, record["key"])

    @pytest.mark.slow
    def test_splits_partition_the_clips(self):
        keys = {}
        for split in sources.SPLITS:
            held = self._source(split)
            keys[split] = {held[i]["key"] for i in range(0, len(held), 4)}
            self.assertLen(keys[split], self.held.clips[split])
        self.assertLen(set.union(*keys.values()), sum(map(len, keys.values())))

    def test_copies_and_threads_read_the_same_and_decode_once(self):
        held = self._source()
        copy = pickle.loads(pickle.dumps(held))
        calls = []
        rebuild = rebuilding.rebuild
        with absltest.mock.patch.object(
            rebuilding, "rebuild", lambda *a: calls.append(1) or rebuild(*a)
        ):
            seen = [None] * 12

            def ask(index):
                seen[index] = copy[index]["blurred"]

            threads = [threading.Thread(target=ask, args=(i,)) for i in range(12)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.assertLen(calls, 3)
        for index, pixels in enumerate(seen):
            np.testing.assert_array_equal(pixels, held[index]["blurred"])

    def test_pairs_feed_the_atlas_and_the_pipeline(self):
        held = self._source("valid")
        laid = atlas.load(held, 64)
        top, left, height, width = laid.places[3]
        np.testing.assert_array_equal(
            laid.pixels["blurred"][top : top + height, 3 * left : 3 * (left + width)],
            held[3]["blurred"].reshape(height, -1),
        )
        options = {"batch_size": 4, "patch_size": 64, "seed": 1}
        first, second = (pipeline.batches(held, **options) for _ in range(2))
        for batches in (first, second):
            self.addCleanup(batches.close)
        batch = next(first)
        np.testing.assert_equal(batch, next(second))
        self.assertEqual(batch["sharp"].shape, (4, 64, 64, 3))
        self.assertEqual(batch["blurred"].shape, (4, 64, 64, 3))

    def test_windows_join_consecutive_frames_along_the_channels(self):
        windows = sources.create(f"clips:{self.root}/clips?frames=12", "valid")
        frames = self._source("valid")
        self.assertLen(windows, len(frames) // 2)
        first, last = windows[0], windows[1]
        self.assertEqual(first["sharp"].shape, (192, 320, 36))
        self.assertEqual((first["key"][-2:], last["key"][-2:]), ("00", "20"))
        # Frames 4 of the first window, and 8 of the last, are those of single frames.
        for name in ("sharp", "blurred"):
            for window, place, frame in ((first, 4, 0), (last, 8, 3)):
                np.testing.assert_array_equal(
                    window[name][..., 3 * place : 3 * place + 3], frames[frame][name]
                )
        laid = atlas.load(windows, 64)
        options = {"augment": "none", "shrink": 0, "extremes": 0, "channels": 36}
        cut = crops.create(laid, patch_size=192, **options)
        keys = jax.random.split(jax.random.key(0), 1)
        crop = np.asarray(cut(laid, np.array([1]), keys)["blurred"][0])
        rows = np.lib.stride_tricks.sliding_window_view(last["blurred"], 192, axis=1)
        self.assertIn(crop.tobytes(), [x.tobytes() for x in rows.transpose(1, 0, 3, 2)])
        for spec, message in (
            ("clips?frames=33", "at most that, not 33"),
            ("clips?frames=8&short=100", "keep their size"),
        ):
            with self.assertRaisesRegex(UserError, message):
                sources.create(f"clips:{self.root}/{spec}", "valid")
        with self.assertRaisesRegex(UserError, "only 'clips:' has"):
            sources.create(f"folder:{self.root}/photos?frames=8", "valid")

    def test_other_photographs_or_another_seed_are_user_errors(self):
        out = self.root / "clips"
        with self.assertRaisesRegex(UserError, "have seed 0, not 1; name another"):
            preparing.prepare(self.root / "photos", out, count=36, seed=1)
        with self.assertRaisesRegex(UserError, "for 36 clips, more than 30"):
            preparing.prepare(self.root / "photos", out, count=30)
        _photographs(self.root / "others", 13)
        with self.assertRaisesRegex(UserError, "made from other photographs .*p"):
            preparing.prepare(self.root / "others", out, count=36)
        (self.root / "empty").mkdir()
        with self.assertRaisesRegex(UserError, "holds no photographs of at least 320"):
            preparing.prepare(self.root / "empty", self.root / "x", count=1)
        with self.assertRaisesRegex(UserError, "holds other files"):
            preparing.prepare(self.root / "photos", self.root / "photos", count=1)

    def test_missing_files_are_user_errors(self):
        with self.assertRaisesRegex(UserError, "prepare clips --from DIR"):
            sources.create(f"clips:{self.root}/nowhere", "train")
        with self.assertRaisesRegex(UserError, "divided by its photographs"):
            sources.create(f"clips:{self.root}/clips?split=80/20", "train")
        with self.assertRaisesRegex(UserError, "has no count"):
            sources.create(f"clips:{self.root}/clips?count=3", "train")
        moved = self.root / "moved"
        (self.root / "photos").rename(moved)
        try:
            with self.assertRaisesRegex(UserError, "need .*/photos/p.*, which"):
                self._source()
            # With the new folder of the originals, no clip is encoded again.
            before = _bytes(self.root / "clips")
            preparing.prepare(moved, self.root / "clips", count=36)
            self.assertLen(self._source()[0], 3)
            changed = {
                name
                for name, content in _bytes(self.root / "clips").items()
                if before[name] != content
            }
            self.assertEqual(changed, {"clips.json"})
        finally:
            moved.rename(self.root / "photos")
            preparing.prepare(self.root / "photos", self.root / "clips", count=36)

    @pytest.mark.slow
    def test_refused_clips_are_counted_and_skipped(self):
        absent = codecs.Codec("libnothing", lambda rate, effort: {})
        with absltest.mock.patch.dict(codecs.CODECS, h264=absent):
            held = preparing.prepare(
                self.root / "photos", self.root / "fewer", count=12
            )
        reason = "h264: PyAV has no encoder libnothing"
        names = list(shards.read_index(self.root / "fewer").files)
        drawn = [recipes.draw(0, i, names).codec["name"] for i in range(12)]
        self.assertEqual(held.refused[reason], drawn.count("h264"))
        self.assertGreater(sum(held.clips.values()), 3)

    def test_missing_pyav_names_the_extra(self):
        with absltest.mock.patch.dict(sys.modules, av=None):
            for attempt in (
                lambda: preparing.prepare(self.root / "photos", self.root / "x"),
                self._source,
            ):
                with self.assertRaisesRegex(
                    UserError, r"PyAV, which .*kdsharp\[video\]"
                ):
                    attempt()
        self.assertFalse((self.root / "x").exists())

    def test_damaged_photograph_is_reported(self):
        root = self.root / "damaged"
        _photographs(root / "photos", 3)
        preparing.prepare(root / "photos", root / "clips", count=4)
        for path in (root / "photos").iterdir():
            content = path.read_bytes()
            path.write_bytes(content[:2000] + bytes(len(content) - 2000))
        held = sources.create(f"clips:{root}/clips", "train")
        with self.assertRaisesRegex(UserError, r"true frames of clip .*p\d.*jpg"):
            for index in range(len(held)):
                held[index]

    def test_truncated_shard_is_reported(self):
        preparing.prepare(self.root / "photos", self.root / "cut", count=3)
        shard = self.root / "cut/000000-000002.bin"
        shard.write_bytes(shard.read_bytes()[:-1])
        with self.assertRaisesRegex(UserError, "002.bin are damaged: remove that"):
            sources.create(f"clips:{self.root}/cut", "train")

    @pytest.mark.slow
    def test_raising_the_count_adds_clips(self):
        with absltest.mock.patch.object(shards, "SIZE", 4):
            for count in (6, 9):
                preparing.prepare(
                    self.root / "photos", self.root / "grown", count=count
                )
            preparing.prepare(self.root / "photos", self.root / "once", count=9)
        self.assertEqual(_bytes(self.root / "grown"), _bytes(self.root / "once"))


_PREPARE = """
import pathlib, sys
from kdsharp.data.clips import preparing, shards

photos, out, processes, gate = sys.argv[1:]
write = shards.write


def write_until_half(folder, *content):
    # Opening a pipe that nobody writes to waits.
    if pathlib.Path(gate).exists() and len(list(folder.glob("[0-9]*.bin"))) >= 10:
        open(gate).close()
    write(folder, *content)


# Workers import this file, too.
shards.write = write_until_half

if __name__ == "__main__":
    shards.SIZE = 2
    preparing.prepare(
        pathlib.Path(photos), pathlib.Path(out), count=40, processes=int(processes)
    )
"""


@pytest.mark.slow
class KillTest(absltest.TestCase):
    def test_continuing_after_a_kill_gives_the_same_bytes(self):
        root = pathlib.Path(self.create_tempdir().full_path)
        _photographs(root / "photos", 3)
        (root / "script.py").write_text(_PREPARE)

        # Processes block here halfway through, until they are killed.
        gate = root / "gate"
        os.mkfifo(gate)

        def start(out: str, processes: int) -> subprocess.Popen:
            arguments = (root / "script.py", root / "photos", root / out)
            return subprocess.Popen(
                [sys.executable, *arguments, str(processes), gate],
                env=os.environ | {"PYTHONPATH": str(_ROOT)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )

        with start("killed", 2) as killed:
            waiting.until(
                lambda: len(_whole(root / "killed")) >= 3,
                "three files of clips",
                ended=lambda: killed.poll() is not None,
            )
            killed.send_signal(signal.SIGKILL)
            killed.communicate(timeout=waiting.PATIENCE)
        gate.unlink()
        self.assertEqual(killed.returncode, -signal.SIGKILL)
        kept = {path: path.stat().st_mtime_ns for path in _whole(root / "killed")}
        self.assertBetween(len(kept), 3, 19)
        with (
            self.assertRaisesRegex(UserError, "of 20 files of clips are missing"),
            absltest.mock.patch.object(shards, "SIZE", 2),
        ):
            sources.create(f"clips:{root}/killed", "train")
        with start("killed", 2) as again, start("whole", 1) as whole:
            for process in (again, whole):
                _, complaints = process.communicate(timeout=waiting.PATIENCE)
                self.assertEqual(process.returncode, 0, complaints)
        self.assertEqual(_bytes(root / "killed"), _bytes(root / "whole"))
        self.assertLen(_whole(root / "killed"), 20)
        for path, made in kept.items():
            self.assertEqual(path.stat().st_mtime_ns, made)


def _whole(folder: pathlib.Path) -> list[pathlib.Path]:
    return list(folder.glob("[0-9]*.bin"))


if __name__ == "__main__":
    absltest.main()
