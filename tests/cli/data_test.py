"""`kdsharp data`: output, files and exit statuses."""

import itertools
import os
import pathlib
import resource
import signal
import subprocess
import sys

import numpy as np
import pytest
import scipy.ndimage
from absl.testing import absltest, parameterized
from PIL import Image

from kdsharp.config_files import load_config
from kdsharp.data import pipeline, preview, sources
from tests import waiting
from tests.cli.running import run
from tests.data import layouts

_ROOT = pathlib.Path(__file__).parents[2]


class DataTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir().full_path)

    @parameterized.parameters(
        (("data", "info", "mnist"), "celeba, helen, gopro"),
        (("data", "prepare", "helen", "--from", "/nowhere"), "/nowhere: check"),
        (("data", "prepare", "clips", "--from", "/nowhere"), "/nowhere: check"),
        (("data", "prepare", "helen", "--from", ".", "--count", "3"), "--count is for"),
        (("data", "preview", "nothing.py", "--out", "a.png"), "no config nothing.py"),
        (("data", "preview", "setup.py", "--out", "a.txt"), "such as .png"),
        (("data", "preview", "x.py", "--out", "a.png", "--count", "0"), "at least 1"),
    )
    def test_user_errors_are_one_sentence(self, arguments, message):
        status, out, complaints = run(*arguments)
        self.assertEqual((status, out), (2, ""))
        self.assertStartsWith(complaints, "kdsharp: ")
        self.assertIn(message, complaints)
        self.assertEqual(complaints.count("\n"), 1)

    def test_prepare_and_info_report_pictures_and_those_left_out(self):
        layouts.helen(self.root / "pairs", 14)
        layouts.truncate(self.root / "pairs/blur/100032541_1.png")
        (self.root / "pairs/blur/100032542_1.png").unlink()
        options = ("helen", "--data-dir", self.root / "data")
        status, _, complaints = run("data", "info", *options)
        self.assertEqual(status, 2)
        self.assertIn(f"--from FOLDER --data-dir {self.root}/data'", complaints)
        for verb in (("prepare", "--from", self.root / "pairs"), ("info",)):
            status, out, complaints = run("data", verb[0], *options, *verb[1:])
            self.assertEqual(status, 0, complaints)
            self.assertIn("12 pictures, 2 left out", out)
            self.assertRegex(out, "100032541_1: the blurred picture: .*truncated")
            self.assertIn("100032542_1: 100032542_1.png has no blurred partner", out)
            self.assertIn("256x256", out)
        self.assertIn("illinois.edu", out)

    def test_prepares_and_previews_clips(self):
        for i in range(3):
            layouts.save(self.root / f"photos/{i}.jpg", layouts.picture(i, 340, 360))
        layouts.save(self.root / "photos/small.png", layouts.picture(9, 100, 100))
        made = ("data", "prepare", "clips", "--from", self.root / "photos")
        made += ("--out", self.root / "clips", "--count", 6, "--processes", 1)
        status, out, complaints = run(*made)
        self.assertEqual(status, 0, complaints)
        self.assertRegex(out, r"clips +/.*/clips, 0\.\d MB\ntrain +\d\nvalid +\d\n")
        self.assertRegex(out, r"codecs +\d \w+.*\nrefused +\d\n")
        self.assertEndsWith(out, f"source      clips:{self.root}/clips\n")
        self.assertIn("small.png: 100x100 is smaller than a clip", complaints)
        status, _, complaints = run(*made, "--seed", 3)
        self.assertEqual(status, 2)
        self.assertIn("have seed 0, not 3; name another folder", complaints)
        for config, spec in (
            ("calls.py:rt-s-call", f"clips:{self.root}/clips"),
            ("photographs.py", f"snapshots:{self.root}/photos?count=30"),
        ):
            sheet = self.root / "sheet.png"
            arguments = (str(_ROOT / "configs/zoo" / config), "--source", spec)
            status, _, complaints = run(
                "data", "preview", *arguments, "--out", sheet, "--count", 3
            )
            self.assertEqual(status, 0, complaints)
            self.assertGreater(layouts.read(sheet).shape[0], 3 * 192)

    @pytest.mark.slow
    def test_full_disk_is_reported_and_leaves_no_partial_shard(self):
        layouts.save(self.root / "photos/1.jpg", layouts.picture(1, 240, 360))
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
        try:
            status, out, complaints = run(
                *("data", "prepare", "clips", "--from", self.root / "photos"),
                *("--out", self.root / "clips", "--count", 8, "--processes", 1),
            )
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        self.assertEqual((status, out), (1, ""))
        self.assertIn("finished output is kept", complaints)
        left = os.listdir(self.root / "clips")
        self.assertCountEqual(left, ["000000-000007.json", "clips.json", "lock"])

    def test_ctrl_c_while_preparing_exits_with_130(self):
        layouts.helen(self.root / "pairs", 1)
        for i in range(6000):
            for folder in ("sharp", "blur"):
                path = self.root / "pairs" / folder
                os.link(path / "100032540_1.png", path / f"{i}.png")
        command = [sys.executable, "-m", "kdsharp.cli", "data", "prepare", "helen"]
        command += ["--from", self.root / "pairs", "--data-dir", self.root / "data"]
        with subprocess.Popen(
            [*command, "--processes", "2"],
            cwd=_ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        ) as process:
            staged = self.root / "data/helen/preparing-1.0.0"
            waiting.until(
                lambda: list(staged.glob("*.unfinished-*")),
                "a shard that is being written",
                ended=lambda: process.poll() is not None,
            )
            os.killpg(process.pid, signal.SIGINT)
            _, complaints = process.communicate(timeout=waiting.PATIENCE)
        self.assertEqual(process.returncode, 130, complaints)
        self.assertNotIn("Traceback", complaints)
        self.assertIn("kdsharp: interrupted", complaints)
        self.assertFalse((self.root / "data/helen/1.0.0").exists())


class PreviewTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir().full_path)
        self.config = str(_ROOT / "configs/student.py")
        for i in range(4):
            for split in ("train", "valid"):
                path = self.root / f"photos/{split}/{i}.png"
                layouts.save(path, layouts.picture(i, 80, 100))

    def _preview(self, *options: str) -> np.ndarray:
        path = self.root / "out/grid.png"
        status, out, complaints = run(
            "data", "preview", self.config, "--out", path, "--count", 3, *options
        )
        self.assertEqual(status, 0, complaints)
        self.assertEqual(out, f"{path}\n")
        self.assertEqual(os.listdir(path.parent), ["grid.png"])
        return layouts.read(path)

    def _cells(self, sheet: np.ndarray, text_lines: int = 1) -> np.ndarray:
        """The crops of a 3x3 sheet, at their original size."""
        side, scale, margin = 32 * 6, 6, preview.MARGIN
        step = side + margin + 14 * text_lines
        self.assertEqual(sheet.shape, (18 + 3 * step, margin + 3 * (side + margin), 3))
        cells = [
            sheet[18 + row * step :, margin + column * (side + margin) :][:side, :side]
            for row, column in itertools.product(range(3), range(3))
        ]
        # Nearest-neighbour enlargement: every pixel is a square of one colour.
        cells = np.stack(cells).reshape(3, 3, 32, scale, 32, scale, 3)
        crops = cells[:, :, :, 0, :, 0]
        enlarged = crops.repeat(scale, axis=2).repeat(scale, axis=3)
        np.testing.assert_array_equal(cells.reshape(enlarged.shape), enlarged)
        return crops

    def test_cells_show_the_crops_and_pillows_degradation(self):
        source = f"folder:{self.root}/photos"
        cells = self._cells(self._preview("--source", source))
        batch = next(
            pipeline.batches(
                sources.create(source, "train"),
                batch_size=3,
                patch_size=32,
                augment="dihedral",
                seed=0,
            )
        )
        np.testing.assert_array_equal(cells[:, 0], batch["sharp"])
        for sharp, blurred, difference in cells:
            small = Image.fromarray(sharp).resize((16, 16), Image.Resampling.BICUBIC)
            large = small.resize((32, 32), Image.Resampling.BICUBIC)
            # Pillow's fixed-point arithmetic may round differently.
            self.assertLessEqual(np.abs(blurred - np.asarray(large, int)).max(), 1)
            expected = np.clip(128 + sharp.astype(int) - blurred, 0, 255)
            np.testing.assert_array_equal(difference, expected)

    def test_captions_state_the_sampled_degradation(self):
        experiment = load_config(self.config + ":full")
        self.assertEqual(experiment.epochs, 100)
        experiment.degradation = "gaussian:0.5-3"
        source = sources.create(f"folder:{self.root}/photos", "train")
        rows = preview.rows(experiment, source, 4)
        self.assertLen({row.text for row in rows}, 4)
        for row in rows:
            name, _, sigma = row.text.partition(":")
            self.assertEqual(name, "gaussian")
            expected = scipy.ndimage.gaussian_filter(
                row.sharp.astype(float), (float(sigma), float(sigma), 0), mode="reflect"
            )
            self.assertLess(np.abs(expected - row.blurred).mean(), 1)

    def test_pairs_are_shown_as_they_are(self):
        for i in range(4):
            for split in ("train", "valid"):
                folder = self.root / "pairs" / split
                layouts.save_pair(
                    folder / f"sharp/{i}.png", folder / f"blur/{i}.png", i, 32, 32
                )
        cells = self._cells(self._preview("--source", f"paired:{self.root}/pairs"))
        known = {
            layouts.read(self.root / f"pairs/train/{role}/{i}.png")[k].tobytes()
            for role in ("sharp", "blur")
            for i in range(4)
            for k in [0]
        }
        found = set()
        for cell in cells[:, :2].reshape(-1, 32, 32, 3):
            sides = [np.rot90(c, k)[0] for c in (cell, cell[::-1]) for k in range(4)]
            found.add(any(side.tobytes() in known for side in sides))
        self.assertEqual(found, {True})

    def test_an_unknown_variant_is_reported(self):
        status, _, complaints = run(
            "data", "preview", self.config + ":huge", "--out", self.root / "a.png"
        )
        self.assertEqual(status, 2)
        self.assertIn("unknown variant 'huge'", complaints)
        self.assertEmpty(list(self.root.glob("*.png")))


if __name__ == "__main__":
    absltest.main()
