"""The pipeline: contents of batches, which depend on seed and number alone."""

import itertools
import os
import pathlib
import subprocess
import sys
import tempfile
from unittest import mock

import numpy as np
import pytest
from absl.testing import absltest, parameterized
from PIL import Image

from kdsharp.data import pipeline
from kdsharp.errors import UserError
from tests import waiting

_ROOT = pathlib.Path(__file__).parents[2]


class Mapped:
    """Pictures whose red, green and blue encode the row, the column and the picture."""

    skipped: tuple = ()
    smallest = ("small", 48, 64)

    def __init__(self, count: int = 10, paired: bool = False, window: int = 0):
        self.count = count
        self.paired = paired
        self.window = window or None
        self.asked: list[int] = []

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        self.asked.append(index)
        y, x = np.mgrid[:48, :64]
        sharp = np.stack([y, x, np.full_like(y, index)], -1).astype(np.uint8)
        record = {"key": str(index), "sharp": sharp}
        return record | {"blurred": 255 - sharp} if self.paired else record


def _take(count: int, source=None, **options) -> list[dict[str, np.ndarray]]:
    options = {"batch_size": 4, "patch_size": 16, "seed": 3} | options
    batches = pipeline.batches(source or Mapped(), **options)
    return list(itertools.islice(batches, count))


def _assert_same(ours, theirs):
    np.testing.assert_equal([dict(b) for b in ours], [dict(b) for b in theirs])


class PipelineTest(parameterized.TestCase):
    def test_batches_are_uint8_of_the_given_shape(self):
        (batch,) = _take(1, batch_size=6, patch_size=20)
        self.assertEqual(list(batch), ["sharp"])
        self.assertEqual(batch["sharp"].shape, (6, 20, 20, 3))
        self.assertEqual(batch["sharp"].dtype, np.uint8)

    @parameterized.parameters("none", "flip", "dihedral")
    def test_a_crop_is_a_slice_of_its_picture(self, augment):
        source = Mapped()
        for batch in _take(20, source, augment=augment):
            for crop in batch["sharp"]:
                top, left, index = crop.reshape(-1, 3).min(0)
                picture = source[index]["sharp"]
                piece = picture[top : top + 16, left : left + 16]
                positions = [
                    np.rot90(p, k) for p in (piece, piece[::-1]) for k in range(4)
                ]
                allowed = {
                    "none": [piece],
                    "flip": [piece, piece[:, ::-1]],
                    "dihedral": positions,
                }[augment]
                self.assertTrue(any((crop == p).all() for p in allowed))

    def test_fraction_of_crops_is_contrast_stretched(self):
        rng = np.random.default_rng(0)
        source = Mapped()
        smooth = rng.integers(96, 160, (48, 64, 3)).astype(np.uint8)
        with mock.patch.object(
            Mapped, "__getitem__", lambda *_: {"key": "a", "sharp": smooth}
        ):
            batches = _take(100, source, extremes=0.25)
        crops = np.concatenate([b["sharp"] for b in batches])
        stretched = (crops.min((1, 2, 3)) < 96) | (crops.max((1, 2, 3)) > 160)
        self.assertAlmostEqual(stretched.mean(), 0.25, delta=0.06)
        clipped = (crops[stretched] % 255 == 0).mean()
        self.assertGreater(clipped, 0.3)

    def test_fraction_of_crops_is_shrunk(self):
        # Red and green encode rows and columns, and so the spacing of pixels.
        crops = [b["sharp"] for b in _take(100, shrink=0.5, augment="none")]
        crops = np.concatenate(crops).astype(int)
        for channel, axis in ((0, 1), (1, 2)):
            step = np.diff(crops[..., channel], axis=axis).mean((1, 2))
            self.assertAlmostEqual((step > 1).mean(), 0.5, delta=0.1)
            self.assertBetween(step.max(), 2.6, 3.01)

    def test_shrunk_crop_equals_pillow(self):
        rng = np.random.default_rng(0)
        picture = rng.integers(256, size=(32, 32, 3), dtype=np.uint8)
        found = pipeline._downscale(picture, 16)
        expected = Image.fromarray(picture).resize((16, 16), Image.Resampling.BICUBIC)
        np.testing.assert_array_equal(found, np.asarray(expected))

    def test_picture_of_patch_size_is_not_shrunk(self):
        for batch in _take(5, patch_size=48, shrink=1.0, augment="none"):
            np.testing.assert_array_equal(
                batch["sharp"][:, :, 0, 0], np.tile(np.arange(48), (4, 1))
            )

    def test_pairs_are_neither_shrunk_nor_stretched(self):
        for batch in _take(5, Mapped(paired=True), shrink=1.0, extremes=1.0):
            np.testing.assert_array_equal(batch["blurred"], 255 - batch["sharp"])
            rows = np.diff(batch["sharp"][..., 0].astype(int), axis=1)
            columns = np.diff(batch["sharp"][..., 1].astype(int), axis=2)
            self.assertEqual(max(np.abs(rows).max(), np.abs(columns).max()), 1)

    @parameterized.parameters("shrink", "extremes")
    def test_fraction_out_of_range_is_a_user_error(self, name):
        with self.assertRaisesRegex(UserError, f"{name} must be from 0 to 1, not 2"):
            _take(1, **{name: 2})

    def test_crops_reach_every_corner(self):
        corners = np.concatenate(
            [b["sharp"][:, 0, 0, :2] for b in _take(150, batch_size=32, augment="none")]
        )
        np.testing.assert_array_equal(corners.min(0), (0, 0))
        np.testing.assert_array_equal(corners.max(0), (48 - 16, 64 - 16))
        # Uniform over 0..32 and 0..48: means within four standard deviations.
        deviation = np.sqrt((np.array([33, 49]) ** 2 - 1) / 12 / len(corners))
        error = np.abs(corners.mean(0) - (16, 24))
        np.testing.assert_array_less(error, 4 * deviation)

    def test_half_of_the_crops_are_flipped(self):
        crops = np.concatenate([b["sharp"] for b in _take(100, batch_size=16)])
        flipped = (crops[:, 0, 0, 1] > crops[:, 0, -1, 1]).mean()
        # Four standard deviations of 1600 coin tosses.
        self.assertAlmostEqual(flipped, 0.5, delta=0.05)
        self.assertTrue((crops[:, 0, 0, 0] < crops[:, -1, 0, 0]).all())

    def test_all_eight_dihedral_transforms_are_equally_likely(self):
        batches = _take(100, batch_size=16, augment="dihedral")
        crops = np.concatenate([b["sharp"] for b in batches]).astype(int)
        right = crops[:, 0, -1, :2] - crops[:, 0, 0, :2]
        down = crops[:, -1, 0, :2] - crops[:, 0, 0, :2]
        kinds, counts = np.unique(
            np.sign(np.concatenate([right, down], 1)), axis=0, return_counts=True
        )
        self.assertLen(kinds, 8)
        np.testing.assert_allclose(counts / len(crops), 1 / 8, atol=0.034)

    def test_an_epoch_visits_every_picture_once_in_a_fresh_order(self):
        batches = _take(15, Mapped(count=20))
        order = np.concatenate([b["sharp"][:, 0, 0, 2] for b in batches])
        epochs = order.reshape(3, 20)
        np.testing.assert_array_equal(np.sort(epochs), [np.arange(20)] * 3)
        self.assertFalse((epochs[0] == epochs[1]).all())
        self.assertFalse((epochs[1] == epochs[2]).all())

    def test_crops_of_a_picture_are_an_epoch_apart_and_differ(self):
        batches = _take(10, Mapped(count=20), crops_per_picture=3, batch_size=6)
        crops = np.concatenate([b["sharp"] for b in batches]).reshape(3, 20, -1)
        pictures = crops.reshape(3, 20, 16, 16, 3)[:, :, 0, 0, 2]
        np.testing.assert_array_equal(np.sort(pictures), [np.arange(20)] * 3)
        self.assertFalse((pictures[0] == pictures[1]).all())
        by_picture = np.take_along_axis(crops, np.argsort(pictures)[..., None], 1)
        self.assertFalse((by_picture[0] == by_picture[1]).all(1).any())

    @parameterized.parameters(7, 20)
    def test_sources_with_a_window_are_visited_window_by_window(self, window):
        source = Mapped(count=20, window=window)
        batches = _take(40, source, crops_per_picture=4)
        pictures = np.concatenate([b["sharp"][:, 0, 0, 2] for b in batches])
        for epoch in pictures.reshape(2, 80):
            seen = set()
            for first in range(0, 20, window):
                size = min(window, 20 - first)
                turns = epoch[4 * first : 4 * (first + size)].reshape(4, size)
                for turn in turns:
                    self.assertLen(set(turn), size)
                    self.assertEqual(set(turn), set(turns[0]))
                self.assertFalse((turns[0] == turns[1]).all())
                self.assertTrue(seen.isdisjoint(turns[0]))
                seen.update(turns[0])

    @parameterized.parameters(
        (20, 4, 1, 5), (20, 6, 1, 4), (20, 8, 3, 8), (2, 16, 1, 1)
    )
    def test_steps_per_epoch(self, count, batch_size, crops, expected):
        steps = pipeline.steps_per_epoch(Mapped(count), batch_size, crops)
        self.assertEqual(steps, expected)

    def test_pairs_are_cut_and_flipped_alike(self):
        for batch in _take(10, Mapped(paired=True), augment="dihedral"):
            np.testing.assert_array_equal(batch["blurred"], 255 - batch["sharp"])

    @parameterized.parameters(1, 7, 1000)
    def test_resumed_equals_uninterrupted(self, step):
        straight = pipeline.batches(Mapped(), batch_size=4, patch_size=16, seed=3)
        rest = list(itertools.islice(straight, step, step + 3))
        _assert_same(_take(3, start_step=step), rest)

    def test_resuming_does_not_read_skipped_pictures(self):
        source = Mapped()
        _take(1, source, start_step=10**9, buffered=1)
        self.assertLess(len(source.asked), 20)

    @parameterized.parameters((1, 1), (4, 16))
    def test_batches_do_not_depend_on_threads(self, threads, buffered):
        _assert_same(_take(12, threads=threads, buffered=buffered), _take(12))

    def test_closed_iterator_is_exhausted(self):
        batches = pipeline.batches(Mapped(), batch_size=4, patch_size=16, seed=3)
        next(batches)
        batches.close()
        with self.assertRaises(StopIteration):
            next(batches)

    def test_another_seed_gives_other_batches(self):
        ours, theirs = _take(1), _take(1, seed=4)
        self.assertFalse((ours[0]["sharp"] == theirs[0]["sharp"]).all())

    @parameterized.parameters(2, 4)
    def test_hosts_partition_the_global_batch(self, hosts):
        whole = _take(5, start_step=2)
        shares = [
            _take(5, start_step=2, host_index=h, host_count=hosts) for h in range(hosts)
        ]
        for step, batch in enumerate(whole):
            rows = np.concatenate([share[step]["sharp"] for share in shares])
            np.testing.assert_array_equal(rows, batch["sharp"])

    @parameterized.parameters(
        ({"batch_size": 0}, "batch_size must be at least 1, not 0"),
        ({"patch_size": -1}, "patch_size must be at least 1, not -1"),
        ({"crops_per_picture": 0}, "crops_per_picture must be at least 1, not 0"),
        ({"augment": "rotate"}, "none, flip, dihedral"),
        ({"workers": -1}, "workers must be at least 0, not -1"),
        ({"host_count": 3}, "4 cannot be shared by 3"),
        ({"patch_size": 49}, "49 pixels .* small, which is 64x48"),
    )
    def test_invalid_option_is_reported_at_once(self, options, message):
        with self.assertRaisesRegex(UserError, message):
            _take(0, **options)

    def test_too_small_a_picture_found_later_is_a_user_error(self):
        source = Mapped()
        source.smallest = None
        with self.assertRaisesRegex(UserError, "49 pixels .* which is 64x48"):
            _take(1, source, patch_size=49)


# A main module of an absl program, which worker processes import again.
_ABSL_PROGRAM = """
from absl import app, flags
from program import common

WORKERS = flags.DEFINE_integer("workers", None, "", required=True)

def main(argv):
    common.print_batches(argv[1], WORKERS.value)

if __name__ == "__main__":
    app.run(main)
"""

_PLAIN_PROGRAM = """
import sys
from program import common

if __name__ == "__main__":
    common.print_batches(sys.argv[1], int(sys.argv[2].partition("=")[2]))
"""

_COMMON = """
import hashlib, itertools
from kdsharp.data import pipeline, sources

def batches(folder, workers):
    global kept  # As a notebook would: still there when the program ends.
    source = sources.create("folder:" + folder, "train")
    batches = kept = pipeline.batches(
        source, batch_size=4, patch_size=16, seed=5, start_step=2, workers=workers)
    for batch in itertools.islice(batches, 5):
        yield hashlib.sha256(batch["sharp"].tobytes()).hexdigest()

def print_batches(folder, workers):
    print(*batches(folder, workers))
"""


class ProcessesTest(absltest.TestCase):
    @pytest.mark.slow
    def test_other_programs_with_workers_give_the_same_batches(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        photos = folder / "photos"
        for split in ("train", "valid"):
            (photos / split).mkdir(parents=True)
        rng = np.random.default_rng(0)
        for i in range(6):
            pixels = rng.integers(0, 256, (20 + i, 24, 3), np.uint8)
            header = b"P6 24 %d 255\n" % (20 + i)
            (photos / "train" / f"{i}.ppm").write_bytes(header + pixels.tobytes())
        package = folder / "program"
        package.mkdir()
        (package / "common.py").write_text(_COMMON)
        (package / "plain.py").write_text(_PLAIN_PROGRAM)
        (package / "main.py").write_text(_ABSL_PROGRAM)
        here = {}
        exec(_COMMON, here)
        expected = list(here["batches"](str(photos), 0))
        self.assertLen(set(expected), 5)
        path = os.pathsep.join([str(_ROOT), str(folder)])
        for module, workers in (("main", 2), ("plain", 1)):
            command = [sys.executable, "-m", f"program.{module}", str(photos)]
            ended = subprocess.run(
                [*command, f"--workers={workers}"],
                env=os.environ | {"PYTHONPATH": path},
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=waiting.PATIENCE,
                check=True,
            )
            self.assertEqual(ended.stdout.split(), expected, module)
            self.assertNotIn("Exception ignored", ended.stderr)
            self.assertNotIn("leaked", ended.stderr)


if __name__ == "__main__":
    absltest.main()
