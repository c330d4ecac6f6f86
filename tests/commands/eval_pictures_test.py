"""`kdsharp eval` against Pillow's resizing, NumPy's networks, scikit-image's scores."""

import csv
import json
from pathlib import Path

import numpy as np
import skimage.color
import skimage.data
import skimage.metrics
from absl.testing import absltest, parameterized
from PIL import Image, ImageFilter

from tests.cli import running
from tests.evaluation import networks

_SHAVE = 2


def _photographs() -> dict[str, np.ndarray]:
    return {
        "astronaut.png": skimage.data.astronaut()[:41, 160:224],
        "coffee.png": skimage.data.coffee()[90:130, :65],
    }


def _blur(picture: np.ndarray) -> np.ndarray:
    image = Image.fromarray(picture)
    small = image.resize((image.width // 2, image.height // 2), Image.BICUBIC)
    return np.asarray(small.resize(image.size, Image.BICUBIC))


def _cut(picture: np.ndarray) -> np.ndarray:
    return picture[: len(picture) // 2 * 2, : picture.shape[1] // 2 * 2]


def _sharpen(picture: np.ndarray, gain: float) -> np.ndarray:
    """Computes the test network in NumPy."""
    padded = np.pad(picture, ((0, 0), (1, 1), (0, 0)))
    return picture + gain * (picture - padded[:, :-2] / 2 - padded[:, 2:] / 2)


def _psnr(sharp: np.ndarray, restored: np.ndarray, protocol: str) -> float:
    if protocol == "luma":
        sharp, restored = (
            skimage.color.rgb2ycbcr(np.clip(x, 0, 1))[..., 0] / 255
            for x in (sharp, restored)
        )
        inside = slice(_SHAVE, -_SHAVE), slice(_SHAVE, -_SHAVE)
        sharp, restored = sharp[inside], restored[inside]
    return skimage.metrics.peak_signal_noise_ratio(
        sharp, np.clip(restored, 0, 1), data_range=1
    )


def _run(*arguments: object) -> tuple[int, str, str]:
    return running.run("eval", *arguments)


class EvalTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.root = Path(self.create_tempdir().full_path)
        self.sharp = self._save("sharp", _photographs())

    def _save(self, folder: str, pictures: dict[str, np.ndarray]) -> Path:
        (self.root / folder).mkdir()
        for name, picture in pictures.items():
            Image.fromarray(picture).save(self.root / folder / name)
        return self.root / folder

    def _scores(self) -> dict:
        return json.loads((self.root / "out" / "scores.json").read_text())

    @parameterized.parameters("rgb", "luma")
    def test_scores_match_pillow_and_scikit_image(self, protocol):
        weak, strong = (
            networks.save(self.root, name, gain=gain)
            for name, gain in (("weak", 0.05), ("strong", 0.15))
        )
        status, printed, complaints = _run(
            *("--data", self.sharp, "--protocol", protocol, "--out", self.root / "out"),
            *("--weights", weak, strong, "--against", strong),
        )
        self.assertEqual(status, 0, complaints)
        found = self._scores()
        self.assertEqual(found["shave"], _SHAVE if protocol == "luma" else 0)
        mask = ImageFilter.UnsharpMask(radius=1, percent=100, threshold=0)
        psnr = {name: [] for name in found["rows"]}
        for got in found["pictures"]:
            sharp = _cut(_photographs()[got["name"]])
            blurred = _blur(sharp)
            expected = {
                "input": blurred / 255,
                "unsharp mask": np.asarray(Image.fromarray(blurred).filter(mask)) / 255,
                "weak": _sharpen(blurred / 255, 0.05),
                "strong": _sharpen(blurred / 255, 0.15),
            }
            self.assertSameElements(expected, got["scores"])
            for name, restored in expected.items():
                value = _psnr(sharp / 255, restored, protocol)
                self.assertAlmostEqual(got["scores"][name]["psnr"], value, delta=2e-3)
                psnr[name].append(value)
        rows = found["rows"]
        for name, values in psnr.items():
            self.assertAlmostEqual(
                rows[name]["psnr"]["mean"], np.mean(values), delta=2e-3
            )
        gain = {name: np.mean(psnr[name]) - np.mean(psnr["input"]) for name in psnr}
        self.assertAlmostEqual(rows["weak"]["gain"]["mean"], gain["weak"], delta=4e-3)
        if protocol == "rgb":  # The teacher's dark borders cancel its gain.
            self.assertLess(gain["strong"], 0)
            self.assertIsNone(rows["weak"]["share_of_gain"])
        else:
            kept = gain["weak"] / gain["strong"]
            found_kept = rows["weak"]["share_of_gain"]["mean"]
            self.assertAlmostEqual(found_kept, kept, delta=0.02)
        best = np.argmax([psnr[name] for name in psnr], axis=0)
        for at, name in enumerate(psnr):
            self.assertEqual(rows[name]["wins"], np.sum(best == at))
        self.assertEqual(rows["strong"]["ssim_to_teacher"]["mean"], 1)
        for word in ("weak", "share, %", f"{np.mean(psnr['weak']):.2f} ["):
            self.assertIn(word, printed)
        self._check_files(found)

    def _check_files(self, found: dict):
        written = (self.root / "out" / "scores.csv").read_text().splitlines()
        for row in csv.DictReader(written):
            (picture,) = (p for p in found["pictures"] if p["name"] == row["picture"])
            scores = picture["scores"][row["restorer"]]
            self.assertEqual(float(row["psnr"]), scores["psnr"])
        self.assertLen(written, 1 + 4 * len(found["pictures"]))
        text = (self.root / "out" / "scores.md").read_text()
        self.assertIn("| coffee.png | 64x40 |", text)
        with Image.open(self.root / "out" / "gallery.png") as sheet:
            self.assertGreater(sheet.width, 5 * 40)
        self.assertLen(list((self.root / "out").iterdir()), 4)

    def test_luma_networks_leave_chroma_unchanged(self):
        grey = networks.save(self.root, "grey", channels=1, gain=0.2)
        status, _, _ = _run(
            *("--data", self.sharp / "coffee.png", "--weights", grey),
            *("--out", self.root / "out"),
        )
        self.assertEqual(status, 0)
        sharp = _cut(_photographs()["coffee.png"])
        blurred = _blur(sharp) / 255
        luma = blurred @ np.array([0.299, 0.587, 0.114])
        residual = _sharpen(luma[..., None], 0.2) - luma[..., None]
        expected = _psnr(sharp / 255, blurred + residual, "rgb")
        (picture,) = self._scores()["pictures"]
        self.assertAlmostEqual(picture["scores"]["grey"]["psnr"], expected, delta=2e-3)
        self.assertIsNone(self._scores()["rows"]["grey"]["psnr"]["low"])

    def test_grey_files_are_scored_as_stored(self):
        picture = _cut(_photographs()["coffee.png"])[..., 0]
        folder = self._save("grey", {"a.png": picture})
        status, printed, _ = _run(
            *("--data", folder, "--protocol", "luma", "--out", self.root / "out"),
        )
        self.assertEqual(status, 0)
        expected = skimage.metrics.peak_signal_noise_ratio(
            picture[_SHAVE:-_SHAVE, _SHAVE:-_SHAVE],
            _blur(picture)[_SHAVE:-_SHAVE, _SHAVE:-_SHAVE],
        )
        (found,) = self._scores()["pictures"]
        self.assertAlmostEqual(found["scores"]["input"]["psnr"], expected, delta=2e-3)
        self.assertIn("Stored grey", printed)

    def test_shift_moves_the_grid_of_the_degradation(self):
        status, printed, _ = _run(
            *("--data", self.sharp, "--shift", "3", "--out", self.root / "out")
        )
        self.assertEqual(status, 0)
        self.assertIn("grid shifted by 3", printed)
        for found in self._scores()["pictures"]:
            sharp = _cut(_photographs()[found["name"]])
            expected = skimage.metrics.peak_signal_noise_ratio(
                sharp[3:, 3:], _blur(sharp)[3:, 3:]
            )
            self.assertAlmostEqual(
                found["scores"]["input"]["psnr"], expected, delta=2e-3
            )

    def test_pairs_are_scored_and_unusable_ones_named(self):
        pictures = _photographs()
        blurred = self._save(
            "blurred",
            {
                "astronaut.png": pictures["astronaut.png"] // 2,
                "coffee.png": pictures["coffee.png"][:-1],
                "lonely.png": pictures["coffee.png"],
            },
        )
        (blurred / "torn.png").write_bytes(b"no picture")
        (self.sharp / "torn.png").write_bytes(b"no picture")
        status, printed, complaints = _run(
            *("--pairs", blurred, self.sharp, "--out", self.root / "out"),
            *("--weights", networks.save(self.root, "net"), "nowhere"),
        )
        self.assertEqual(status, 1)
        for reason in (
            "coffee: the sharp picture is 65x40, the blurred one 65x39",
            "lonely.png: has no partner",
            "torn: not a picture",
            "nowhere: no weights 'nowhere'",
        ):
            self.assertIn(reason, complaints)
        self.assertNotIn("Traceback", complaints)
        (picture,) = self._scores()["pictures"]
        sharp = pictures["astronaut.png"]
        self.assertAlmostEqual(
            picture["scores"]["input"]["mae"],
            np.abs(sharp / 255 - sharp // 2 / 255).mean(),
            delta=1e-5,
        )
        self.assertEqual(picture["scores"]["net"], picture["scores"]["input"])
        self.assertIn("net", printed)

    def test_infinite_psnr_is_valid_json(self):
        status, printed, _ = _run(
            *("--pairs", self.sharp, self.sharp, "--out", self.root / "out")
        )
        self.assertEqual(status, 0)
        self.assertIsNone(self._scores()["rows"]["input"]["psnr"]["mean"])
        self.assertIn(" inf ", printed)

    @parameterized.parameters(
        (("--data", "{sharp}", "--protocol", "yuv"), "unknown protocol 'yuv'"),
        (("--data", "{sharp}", "--weights", "none"), "no weights 'none'"),
        (("--data", "{sharp}", "--against", "none"), "no weights 'none'"),
        (("--data", "{sharp}/nowhere"), "no folder"),
        (("--data", "{sharp}", "--degradation", "fog"), "unknown degradation 'fog'"),
        (("--data", "{sharp}", "--shave", "30"), "30 pixels cannot be left out"),
        (("--pairs", "{sharp}", "{empty}"), "no picture name in common"),
        (
            ("--pairs", "{sharp}", "{sharp}", "--degradation", "bicubic:2"),
            "--degradation is for --data",
        ),
        (("--pairs", "{sharp}", "{sharp}", "--shift", "1"), "--shift is for --data"),
        (("--data", "{sharp}", "--shift", "-1"), "--shift must be at least 0, not -1"),
        (("--data", "{sharp}", "--shift", "99"), "no larger than the shift"),
    )
    def test_user_errors_are_one_sentence(self, arguments, message):
        empty = self._save("empty", {})
        status, printed, complaints = _run(
            *(a.format(sharp=self.sharp, empty=empty) for a in arguments)
        )
        self.assertEqual((status, printed), (2, ""))
        self.assertIn(message, complaints)
        self.assertLen(complaints.splitlines(), 1)


if __name__ == "__main__":
    absltest.main()
