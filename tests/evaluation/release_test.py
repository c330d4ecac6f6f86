"""What a release writes, against Pillow's blur and a network that does nothing."""

import json
import math
from pathlib import Path

import numpy as np
import skimage.color
import skimage.data
import skimage.metrics
from absl.testing import absltest
from PIL import Image

from kdsharp.evaluation import release
from kdsharp.weights import store
from tests.evaluation import networks

_VALIDATION = {
    "input": {"mae": 0.5, "psnr": math.inf, "ssim": 0.5},
    "network": {"mae": 0.25, "psnr": 7.0, "ssim": 0.75, "gain": -math.inf},
}


def _photograph() -> np.ndarray:
    return skimage.data.astronaut()[:48, 160:224]


def _blurred_luma_psnr(exact: bool = False) -> float:
    image = Image.fromarray(_photograph())
    small = image.resize((image.width // 2, image.height // 2), Image.BICUBIC)
    planes = [
        # Pictures of mode F hold floating-point numbers.
        (plane.convert("F") if exact else plane).resize(image.size, Image.BICUBIC)
        for plane in small.split()
    ]
    blurred = np.clip(np.stack(planes, -1).astype(np.float64), 0, 255) / 255
    sharp, blurred = (
        skimage.color.rgb2ycbcr(x)[2:-2, 2:-2, 0] / 255
        for x in (_photograph() / 255, blurred)
    )
    return skimage.metrics.peak_signal_noise_ratio(sharp, blurred, data_range=1)


class ReleaseTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.root = Path(self.create_tempdir().full_path)
        for folder in ("benchmarks/Set5", "benchmarks/Set14", "photographs", "zoo"):
            (self.root / folder).mkdir(parents=True)
            if folder != "zoo":
                image = Image.fromarray(_photograph())
                image.save(self.root / folder / "astronaut.png")

    def _release(self, name: str, degradation: str, **told: str) -> dict:
        run = networks.save(self.root, name)
        card = json.loads(run.with_suffix(".json").read_text())
        card |= {
            "degradation": degradation,
            "recipe": {
                "data": {"source": "folder:/home/somebody/photographs"},
                "init": "/home/somebody/runs/dncnn8-bicubic2",
            },
            "scores": {"validation": _VALIDATION},
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

    def test_published_scores_are_those_of_pillow_and_scikit_image(self):
        card = self._release("dncnn8-bicubic2", "bicubic:2", hardware="a laptop")
        self.assertEqual(card["hardware"], "a laptop")
        self.assertIn("configs/zoo/dncnn.py:dncnn8-bicubic2", card["command"])
        self.assertNotIn("somebody", json.dumps(card))
        self.assertEqual(card["recipe"]["init"], "dncnn8-bicubic2")
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

    def test_weights_for_calls_keep_sharp_pictures(self):
        card = self._release("rt-s-call", "video_call@0.9")
        self.assertIn("configs/zoo/real_time.py:rt-s-call", card["command"])
        told = "3 sharp pictures, how far they stay what they are (RGB)"
        self.assertEqual(card["scores"][told], {"worst": 100.0, "mean": 100.0})
        # A mean PSNR of pictures that are sharp already is infinite.
        validation = card["scores"]["validation (a tenth sharp already)"]
        self.assertEqual(validation["network"], {"mae": 0.25, "ssim": 0.75})
        self.assertIn(
            "1 photographs of the validation (video_call, rgb)", card["scores"]
        )


if __name__ == "__main__":
    absltest.main()
