"""Releases: scores on the card, against Pillow's blur and an identity network."""

import json
from pathlib import Path

import numpy as np
import pytest
import skimage.color
import skimage.data
import skimage.metrics
from absl.testing import absltest
from PIL import Image

from kdsharp.errors import UserError
from kdsharp.evaluation import release
from kdsharp.weights import store
from tests.evaluation import networks


def _photograph() -> np.ndarray:
    return skimage.data.astronaut()[:48, 160:224]


def _blurred(sharp: np.ndarray, exact: bool = False) -> np.ndarray:
    image = Image.fromarray(sharp)
    small = image.resize((image.width // 2, image.height // 2), Image.BICUBIC)
    planes = [
        # Pictures of mode F hold floating-point numbers.
        (plane.convert("F") if exact else plane).resize(image.size, Image.BICUBIC)
        for plane in small.split()
    ]
    return np.clip(np.stack(planes, -1).astype(np.float64), 0, 255) / 255


def _blurred_luma_psnr(exact: bool = False) -> float:
    sharp, blurred = (
        skimage.color.rgb2ycbcr(x)[2:-2, 2:-2, 0] / 255
        for x in (_photograph() / 255, _blurred(_photograph(), exact))
    )
    return skimage.metrics.peak_signal_noise_ratio(sharp, blurred, data_range=1)


def _sharpened(blurred: np.ndarray, gain: float) -> np.ndarray:
    """The output of the network of `networks.save`."""
    beside = np.pad(blurred, ((0, 0), (1, 1), (0, 0)))
    mean = (beside[:, 2:] + beside[:, :-2]) / 2
    return np.clip(blurred + gain * (blurred - mean), 0, 1)


class ReleaseTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.root = Path(self.create_tempdir().full_path)
        for folder in ("benchmarks/Set5", "benchmarks/Set14", "photographs", "zoo"):
            (self.root / folder).mkdir(parents=True)
            if folder != "zoo":
                image = Image.fromarray(_photograph())
                image.save(self.root / folder / "astronaut.png")

    def _release(
        self, called: str, degradation: str, gain: float = 0.0, **told
    ) -> dict:
        run = networks.save(self.root, called, gain=gain)
        card = json.loads(run.with_suffix(".json").read_text())
        card |= {
            "degradation": degradation,
            "recipe": {
                "data": {"source": "folder:/home/somebody/photographs", "workers": 0},
                "init": "/home/somebody/runs/dncnn8-bicubic2",
                "teacher": {"weights": "/home/somebody/rt-xl.safetensors,self"},
                "validation": {"size": 32, "pictures": 1},
            },
            "scores": {"validation": {"network": {"psnr": 99.0}}},
        }
        run.with_suffix(".json").write_text(json.dumps(card))
        file = release.release(
            run,
            benchmarks=self.root / "benchmarks",
            photographs=self.root / "photographs",
            zoo=self.root / "zoo",
            **told,
        )
        for tensor, value in store.load(str(file)).variables["params"].items():
            before = store.load(str(run)).variables["params"][tensor]
            np.testing.assert_array_equal(value["kernel"], before["kernel"])
        return json.loads(file.with_suffix(".json").read_text())

    def test_published_scores_equal_pillow_and_scikit_image(self):
        card = self._release("dncnn8-bicubic2", "bicubic:2", hardware="a laptop")
        self.assertEqual(card["hardware"], "a laptop")
        self.assertIn("configs/zoo/dncnn.py:dncnn8-bicubic2", card["command"])
        self.assertNotIn("somebody", json.dumps(card))
        self.assertEqual(card["recipe"]["init"], "dncnn8-bicubic2")
        self.assertEqual(card["recipe"]["teacher"]["weights"], "rt-xl,self")
        found = card["scores"]["Set5 (luma, border of 2)"]
        self.assertAlmostEqual(found["input"]["psnr"], _blurred_luma_psnr(), delta=0.02)
        self.assertEqual(found["input"], found["network"])
        exact = card["scores"][
            "Set5 (the same, enlarged without rounding as published)"
        ]
        self.assertAlmostEqual(
            exact["input"]["psnr"], _blurred_luma_psnr(exact=True), delta=0.006
        )
        off_grid = card["scores"]["Set14 (the same, the blur's grid off by one)"]
        self.assertNotEqual(off_grid["input"], found["input"])

    def test_validation_uses_centre_crops(self):
        card = self._release("dncnn8-bicubic2", "bicubic:2", gain=0.25)
        found = card["scores"]["validation"]
        sharp = _photograph()[8:40, 16:48]
        blurred = _blurred(sharp)
        for row, picture in (
            ("input", blurred),
            ("network", _sharpened(blurred, gain=0.25)),
        ):
            expected = skimage.metrics.peak_signal_noise_ratio(
                sharp / 255, picture, data_range=1
            )
            self.assertAlmostEqual(found[row]["psnr"], expected, delta=0.01, msg=row)

    @pytest.mark.slow
    def test_facts_are_merged_into_the_card(self):
        facts = self.root / "facts.json"
        facts.write_text(
            json.dumps(
                {
                    "seconds": 60,
                    "hardware": "a desk",
                    "recipe": {"data": {"source": "folder:ALL", "workers": None}},
                }
            )
        )
        card = self._release(
            "elsewhere",
            "bicubic:2",
            name="rt-s-bicubic2",
            facts=release.read_facts(facts),
            hardware="a laptop",
        )
        self.assertEqual(card["name"], "rt-s-bicubic2")
        self.assertEqual(card["recipe"]["name"], "rt-s-bicubic2")
        self.assertEqual((card["seconds"], card["hardware"]), (60, "a laptop"))
        self.assertEqual(card["recipe"]["data"], {"source": "folder:ALL"})
        self.assertEqual(card["recipe"]["validation"], {"size": 32, "pictures": 1})
        self.assertEqual(
            card["command"],
            "python -m kdsharp.main --config=configs/zoo/real_time.py:rt-s-bicubic2 "
            "--config.data.source=folder:ALL",
        )

    def test_invalid_facts_are_a_user_error(self):
        file = self.root / "facts.json"
        for content, message in (
            (None, "facts.json is not a readable JSON file$"),
            ("{", "facts.json is not a readable JSON file$"),
            ("[1]", "facts.json does not hold a JSON object"),
        ):
            if content:
                file.write_text(content)
            with self.assertRaisesRegex(UserError, message):
                release.read_facts(file)

    @pytest.mark.slow
    def test_weights_for_calls_have_scores_of_sharp_pictures(self):
        card = self._release("rt-s-call", "video_call@0.9")
        self.assertIn("configs/zoo/calls.py:rt-s-call", card["command"])
        told = "3 sharp pictures, how far they stay what they are (RGB)"
        self.assertEqual(card["scores"][told], {"worst": 100.0, "mean": 100.0})
        # A mean PSNR of pictures that are sharp already is infinite.
        validation = card["scores"]["validation (a tenth sharp already)"]
        self.assertEqual(set(validation["network"]), {"mae", "ssim"})
        self.assertEqual(validation["network"], validation["input"])
        self.assertIn(
            "1 photographs of the validation (video_call, rgb)", card["scores"]
        )


if __name__ == "__main__":
    absltest.main()
