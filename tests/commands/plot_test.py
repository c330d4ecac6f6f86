"""`kdsharp plot`: drawings and errors."""

import json
from pathlib import Path

import numpy as np
import skimage.data
from absl.testing import absltest, parameterized
from PIL import Image

from kdsharp.evaluation.plots import tradeoff
from tests.cli import running
from tests.evaluation import networks

_POINT = tradeoff.Point


def _quality(**psnr: float) -> dict:
    rows = {name: {"psnr": {"mean": value}} for name, value in psnr.items()}
    return {
        "kind": "quality",
        "source": "Set5",
        "degradation": "bicubic:2",
        "protocol": "rgb",
        "rows": {"input": {"psnr": {"mean": 30.0}}, **rows},
    }


def _speed(**rates: float) -> dict:
    rows = [
        {
            "network": name,
            "backend": "jax",
            "dtype": "float32",
            "frames_per_second": rate,
        }
        for name, rate in rates.items()
    ]
    return {"kind": "speed", "sizes": [{"width": 8, "height": 8, "rows": rows}]}


class PlotTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = Path(self.create_tempdir().full_path)
        self.out = self.folder / "out.png"

    def _write(self, name: str, content: object) -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    def _pixels(self) -> np.ndarray:
        with Image.open(self.out) as picture:
            return np.asarray(picture.convert("RGB"))

    def _plot(self, *arguments: object) -> tuple[int, str, str]:
        return running.run("plot", *arguments, "--out", self.out)

    def test_each_run_has_its_own_colour(self):
        for run, loss in (("a", 1.0), ("b", 0.5)):
            records = [{"step": s, "train/loss": loss / s} for s in (1, 2, 3)]
            records += [{"step": 3, "valid/psnr": 31 + loss, "valid/gain": 1 + loss}]
            lines = "".join(json.dumps(record) + "\n" for record in records)
            self._write(f"{run}/metrics.jsonl", lines)
        status, _, _ = self._plot("runs", self.folder / "a", self.folder / "b")
        self.assertEqual(status, 0)
        for colour in ((31, 119, 180), (255, 127, 14)):  # Matplotlib's C0 and C1.
            self.assertGreater(np.all(self._pixels() == colour, -1).sum(), 50)

    def test_front_is_pareto_optimal(self):
        slow, middle, beaten, fast = (
            _POINT("", "", rate, quality)
            for rate, quality in ((1, 35), (5, 33), (4, 32), (9, 31))
        )
        found = tradeoff.front([beaten, fast, slow, middle])
        self.assertEqual(found, [slow, middle, fast])

    def test_points_need_both_quality_and_speed(self):
        found = tradeoff.points(
            _quality(a=31.0, scored=32.0), _speed(a=5.0, timed=6.0)["sizes"]
        )
        self.assertEqual(found, [_POINT("a", "jax float32", 5.0, 31.0)])

    def test_draws_quality_against_speed(self):
        status, _, _ = self._plot(
            "tradeoff",
            self._write("q.json", _quality(a=31.0, b=33.0)),
            self._write("s.json", _speed(a=50.0, b=2.0)),
        )
        self.assertEqual(status, 0)
        self.assertGreater(np.all(self._pixels() == (31, 119, 180), -1).sum(), 50)

    def test_residual_maps_amplify_residuals_fourfold(self):
        picture = skimage.data.coffee()[90:154, :64]
        Image.fromarray(picture).save(self.folder / "coffee.png")
        weak, strong = (
            networks.save(self.folder, name, gain=gain)
            for name, gain in (("weak", 0.1), ("strong", 0.3))
        )
        status, _, _ = self._plot(
            "residuals", strong, weak, "--data", self.folder / "coffee.png"
        )
        self.assertEqual(status, 0)
        small = Image.fromarray(picture).resize((32, 32), Image.BICUBIC)
        blurred = np.asarray(small.resize((64, 64), Image.BICUBIC)) / 255
        padded = np.pad(blurred, ((0, 0), (1, 1), (0, 0)))
        second = blurred - padded[:, :-2] / 2 - padded[:, 2:] / 2
        sheet = np.float32(self._pixels())
        windows = np.lib.stride_tricks.sliding_window_view(sheet, (64, 64, 3))
        for residual in (picture / 255 - blurred, 0.3 * second, 0.1 * second):
            expected = 255 * np.clip(0.5 + 4 * residual, 0, 1)
            distances = np.abs(windows[18, :, 0] - expected).max(axis=(1, 2, 3))
            self.assertLessEqual(distances.min(), 1.5)

    @parameterized.parameters(
        (("runs", "{0}"), "is not a run: it has no metrics"),
        (("runs", "{0}/run", "--metric", "lpips"), "no metric 'lpips'; it has: psnr"),
        (("tradeoff", "{0}/q.json"), "no speed among 1 files"),
        (("tradeoff", "{0}/q.json", "{0}/s.json"), "no network is in both"),
        (("tradeoff", "{0}/q.json", "--metric", "mse"), "higher is not better"),
        (("tradeoff", "{0}/run/metrics.jsonl"), "neither a scores.json"),
        (("tradeoff", "{0}/none.json"), "cannot read"),
        (("residuals", "a", "b", "--data", "{0}/none.png"), "no folder"),
        (("runs", "{0}/run", "--out", "{0}/out.txt"), "not the name of a picture"),
    )
    def test_user_errors_are_one_sentence(self, arguments, message):
        self._write("run/metrics.jsonl", '{"step": 1, "valid/psnr": 30}\n')
        self._write("q.json", _quality(a=31.0))
        self._write("s.json", _speed(b=31.0))
        arguments = [a.format(self.folder) for a in arguments]
        if "--out" not in arguments:
            arguments += ["--out", str(self.out)]
        status, printed, complaints = running.run("plot", *arguments)
        self.assertEqual((status, printed), (2, ""))
        self.assertIn(message, complaints)
        self.assertLen(complaints.splitlines(), 1)
        self.assertFalse(self.out.exists())


if __name__ == "__main__":
    absltest.main()
