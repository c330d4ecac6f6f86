"""`kdsharp eval --video` on a small ladder, with real encoders."""

import csv
import json
import re
from pathlib import Path
from unittest import mock

import av
import numpy as np
import pytest
import skimage.color
import skimage.data
import skimage.metrics
from absl.testing import absltest, parameterized
from PIL import Image

from kdsharp.evaluation.calls import vmaf
from tests.cli import running
from tests.evaluation import networks

_SMALL = ("--size", "96x64", "--frames", "16", "--rates", "300", "--codecs", "h264")


def _run(*arguments: object) -> tuple[int, str, str]:
    return running.run("eval", "--video", *arguments)


class EvalVideoTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.root = Path(self.create_tempdir().full_path)
        self.out = self.root / "out"
        self.data = self.root / "pictures"
        self.data.mkdir()
        pictures = {
            "coffee.png": skimage.data.coffee()[100:175, 200:330],
            "cat.png": skimage.data.chelsea()[60:135, 100:230],
        }
        for name, pixels in pictures.items():
            Image.fromarray(pixels).save(self.data / name)

    def _scores(self) -> dict:
        return json.loads((self.out / "calls.json").read_text())

    def _psnr(self, stream: Path, picture: str) -> float:
        """Mean luma PSNR of the decoded frames of a still clip, from the sixth on."""
        rgb = np.asarray(Image.open(self.data / picture))[5:69, 17:113]
        true = np.round(skimage.color.rgb2ycbcr(rgb)[..., 0])
        with av.open(str(stream)) as container:
            planes = [f.to_ndarray()[:64].astype(float) for f in container.decode()]
        self.assertLen(planes, 16)
        psnr = [
            skimage.metrics.peak_signal_noise_ratio(true, plane, data_range=219)
            for plane in planes[5:]
        ]
        return float(np.mean(psnr))

    @pytest.mark.slow
    def test_scores_a_ladder_and_resumes_it(self):
        same = networks.save(self.root, "same", channels=1)
        sharper = networks.save(self.root, "sharper", channels=1, gain=0.3)
        colours = networks.save(self.root, "colours", channels=3)
        asked = ("--data", self.data, "--out", self.out, "--screens", "1", *_SMALL)
        asked += ("--sources", "sharp", "half", "--no-vmaf")
        status, printed, complaints = _run(*asked, "--weights", same, sharper)
        self.assertEqual(status, 0, complaints)
        first = self._scores()
        self._check_numbers(first)
        self._check_files(first, printed)
        kept = {path: path.stat().st_mtime_ns for path in self._streams()}
        lost = sorted((self.out / "cells").glob("coffee*half*"))[0]
        lost.unlink()
        status, _, complaints = _run(*asked, "--weights", same, sharper, colours)
        self.assertEqual(status, 0, complaints)
        again = self._scores()
        self.assertEqual(
            kept, {path: path.stat().st_mtime_ns for path in self._streams()}
        )
        for before, after in zip(first["cells"], again["cells"], strict=True):
            added = after["rows"].pop("colours")
            self.assertEqual(before, after)
            # The conversion to RGB and back changes some pixels by one level.
            self.assertAlmostEqual(
                added["psnr"], after["rows"]["input"]["psnr"], delta=0.5
            ) if before["rate"] else self.assertGreater(added["psnr"], 45)

    def _streams(self) -> list[Path]:
        return sorted((self.out / "streams").iterdir())

    def _check_numbers(self, found: dict):
        # Two sources of each picture and one of the page; still and moving.
        self.assertLen([c for c in found["cells"] if c["rate"]], 2 * (2 * 2 + 1))
        self.assertLen(self._streams(), 2 * (2 * 2 + 1))
        for name in ("coffee", "cat"):
            (stream,) = (self.out / "streams").glob(f"{name}*still-sharp*")
            (cell,) = (
                cell
                for cell in found["cells"]
                if cell["clip"] == f"{name}.png"
                and (cell["motion"], cell["source"]) == ("still", "sharp")
            )
            expected = self._psnr(stream, f"{name}.png")
            psnr = cell["rows"]["input"]["psnr"]
            self.assertAlmostEqual(psnr, expected, delta=0.03)
        for setting in found["settings"]:
            rows = setting["rows"]
            masks = [n for n in rows if n.startswith("unsharp")]
            self.assertLen(masks, 3)
            best = max(rows[n]["psnr"] for n in masks) - rows["input"]["psnr"]
            self.assertAlmostEqual(setting["best_mask"], best, places=9)
            self.assertEqual(rows["same"], rows["input"])
            mean = np.mean(
                [
                    cell["rows"]["sharper"]["psnr"]
                    for cell in found["cells"]
                    if all(cell[k] == setting[k] for k in ("source", "motion", "rate"))
                ]
            )
            self.assertAlmostEqual(rows["sharper"]["psnr"], mean, places=9)
        same, sharper = (found["rows"][name] for name in ("same", "sharper"))
        self.assertEqual(same["worst"], 0)
        self.assertEqual(same["flicker_pan"], 1)
        self.assertGreater(sharper["sharpness"], same["sharpness"])
        self.assertGreater(sharper["flicker_pan"], 1)
        photographs = [s for s in found["settings"] if s["source"] != "text"]
        gains = [s["gain"]["sharper"] for s in photographs]
        self.assertAlmostEqual(sharper["gains"]["psnr"], np.mean(gains), places=9)
        self.assertAlmostEqual(sharper["worst"], min(gains), places=9)
        beats = sum(s["gain"]["sharper"] > s["best_mask"] for s in photographs)
        self.assertEqual(sharper["beats"], beats)
        self.assertEqual(found["text"]["same"], {"to_itself": 100, "gain": 0})
        self.assertLess(found["text"]["sharper"]["to_itself"], 40)

    def _check_files(self, found: dict, printed: str):
        for word in ("sharper", "flicker pan", "half", "PSNR to itself", "of 4"):
            self.assertIn(word, printed)
            self.assertIn(word, (self.out / "calls.md").read_text())
        gains = [
            np.mean(
                [
                    setting["gain"]["sharper"]
                    for setting in found["settings"]
                    if (setting["source"], setting["rate"]) == (source, 300)
                ]
            )
            for source in ("sharp", "half")
        ]
        for source, gain in zip(("sharp", "half"), gains, strict=True):
            self.assertRegex(
                printed,
                rf"{source} +\| 300 +\| +\+0.00 +\| +{re.escape(f'{gain:+.2f}')}",
            )
        rows = list(csv.DictReader((self.out / "calls.csv").open()))
        self.assertLen(rows, len(found["cells"]) * 6)
        (row,) = (
            row
            for row in rows
            if (row["clip"], row["restorer"]) == ("cat.png", "sharper")
            and (row["source"], row["motion"]) == ("half", "pan")
        )
        (cell,) = (
            cell["rows"]["sharper"]
            for cell in found["cells"]
            if (cell["clip"], cell["source"], cell["motion"])
            == ("cat.png", "half", "pan")
        )
        for measure in ("psnr", "ssim", "sharpness", "blocking", "flicker"):
            self.assertEqual(float(row[measure]), cell[measure])
        for name in ("gains", *(f"crops-{s}" for s in ("sharp", "half", "text"))):
            with Image.open(self.out / f"{name}.png") as picture:
                self.assertGreater(picture.width, 300)
        with av.open(str(self.out / "sharper.mp4")) as container:
            context = container.streams.video[0].codec_context
            self.assertEqual(context.width, 2 * 96)
            # Two sources and text, moving and still.
            self.assertLen(list(container.decode()), 3 * 2 * 16)

    def test_damaged_pictures_are_named_and_the_others_scored(self):
        (self.data / "no.jpg").write_bytes(b"no picture")
        with Image.open(self.data / "cat.png") as picture:
            picture.save(self.data / "half.bmp")
        cut = (self.data / "half.bmp").read_bytes()[:2000]
        (self.data / "half.bmp").write_bytes(cut)
        (self.data / "cat.png").unlink()
        status, printed, complaints = _run(
            *("--data", self.data, "--sources", "soft", *_SMALL)
        )
        self.assertEqual(status, 1)
        self.assertIn("VMAF-NEG", printed)
        self.assertIn("1 pictures or videos", printed)
        for name in ("no.jpg", "half.bmp"):
            self.assertIn(f"not scored: {name}", complaints)

    @mock.patch.object(vmaf, "program", lambda: None)
    def test_missing_vmaf_is_reported(self):
        (self.data / "cat.png").unlink()
        status, printed, complaints = _run(
            *("--data", self.data, "--sources", "sharp", "--pan", "0", *_SMALL)
        )
        self.assertEqual(status, 0)
        self.assertIn("pip install 'kdsharp[vmaf]'", complaints)
        self.assertNotIn("VMAF-NEG", printed)

    @parameterized.parameters(
        (("--codecs", "h263"), "unknown codec 'h263'; choose one of: h264, vp8"),
        (("--sources", "quarter"), "unknown source 'quarter'; choose one of: sharp"),
        (("--player", "nearest"), "unknown player 'nearest'; choose one of: bilinear"),
        (("--rates", "0"), "--rates must be at least 1 kbit/s, not 0"),
        (("--frames", "3"), "--frames must be at least 16, not 3"),
        (("--size", "big"), "--size must look like 1280x720, not 'big'"),
        (("--size", "96x48"), "a window of 96x48 is too small"),
        (
            ("--pan", "nan"),
            "--pan must be a number of pixels per frame, such as 2, not nan",
        ),
        (("--weights", "rt-none"), "rt-none"),
        (("--degradation", "bicubic:2"), "--degradation goes without --video"),
        (("--backend", "abacus"), "unknown backend 'abacus'"),
        (("--screens", "-1"), "--screens must be at least 0, not -1"),
    )
    def test_user_errors_are_one_sentence(self, arguments, sentence):
        status, _, complaints = _run("--data", self.data, *arguments)
        self.assertEqual(status, 2)
        self.assertIn(sentence, complaints)
        self.assertLen(complaints.strip().splitlines(), 1)

    def test_video_options_require_video(self):
        status, _, complaints = running.run(
            *("eval", "--data", self.data, "--codecs", "vp8")
        )
        self.assertEqual(status, 2)
        self.assertIn("--codecs goes with --video: add --video", complaints)
        for video in ((), ("--video",)):
            status, _, complaints = running.run("eval", *video)
            self.assertEqual(status, 2)
            self.assertIn("to score on", complaints)


if __name__ == "__main__":
    absltest.main()
