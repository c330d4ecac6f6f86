"""Drawings of reports: crops, grids and curves."""

from pathlib import Path

import numpy as np
import pytest
from absl.testing import absltest, parameterized
from PIL import Image

from kdsharp.evaluation import samples
from kdsharp.evaluation.plots import candidates, curves


class SamplesTest(parameterized.TestCase):
    @parameterized.parameters((0, 0), (40, 70), (59, 99))
    def test_busiest_crop_is_where_the_noise_is(self, top, left):
        picture = np.full((80, 120, 3), 0.5, np.float32)
        noise = np.random.default_rng(0).random((20, 20, 3), np.float32)
        picture[top : top + 20, left : left + 20] = noise
        rows, columns = samples.busiest_crop(picture, 24)
        self.assertLessEqual(rows.start, top)
        self.assertGreaterEqual(rows.stop, top + 20)
        self.assertLessEqual(columns.start, left)
        self.assertGreaterEqual(columns.stop, left + 20)

    def test_a_crop_is_no_larger_than_the_picture(self):
        rows, columns = samples.busiest_crop(np.zeros((10, 30, 3)), 24)
        self.assertEqual((rows, columns), (slice(0, 10), slice(0, 10)))

    def test_grid_shows_every_picture_unchanged(self):
        rng = np.random.default_rng(0)
        rows = [
            {name: rng.random((16, 16, channels)) for name in ("input", "sharp")}
            for channels in (3, 3, 1)
        ]
        sheet = np.asarray(samples.grid(rows))
        for row in rows:
            for picture in row.values():
                expected = np.broadcast_to(np.round(picture * 255), (16, 16, 3))
                windows = np.lib.stride_tricks.sliding_window_view(sheet, (16, 16, 3))
                found = np.all(windows[:, :, 0] == expected, axis=(2, 3, 4))
                self.assertEqual(found.sum(), 1)


class CandidatesTest(absltest.TestCase):
    def test_each_network_has_a_point(self):
        path = Path(self.create_tempdir().full_path) / "candidates.png"
        found = {
            "cheap": candidates.Candidate(1.0, [1.0]),
            "dear": candidates.Candidate(3.0, [2.0, 2.5]),
        }
        candidates.plot(found, path)
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("RGB")).astype(int)
        # The first colour of Matplotlib.
        blue = np.abs(pixels - (31, 119, 180)).max(-1) < 20
        down, across = np.nonzero(blue)
        left = across < pixels.shape[1] / 2
        self.assertGreater(left.sum(), 10)
        self.assertGreater((~left).sum(), 10)
        self.assertGreater(down[left].mean(), down[~left].mean())


class CurvesTest(absltest.TestCase):
    @pytest.mark.slow
    def test_curves_of_a_run_are_drawn(self):
        path = Path(self.create_tempdir().full_path) / "curves.png"
        records = [{"step": s, "train/loss": 1 / s, "train/mse": 1 / s} for s in (1, 2)]
        records += [{"step": 2, "valid/psnr": 30.0}]
        curves.plot(records, 28.0, path)
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("RGB"))
        self.assertGreater(pixels.shape[1], 800)
        self.assertGreater(len(np.unique(pixels.reshape(-1, 3), axis=0)), 3)


if __name__ == "__main__":
    absltest.main()
