"""Snapshots: no step shifts the picture, and compression equals Pillow's."""

import io
import json
import pathlib
import pickle

import numpy as np
import skimage.data
from absl.testing import absltest, parameterized
from PIL import Image
from skimage import registration

from kdsharp.data import snapshots, sources, splits
from kdsharp.data.clips import recipes
from kdsharp.errors import UserError

_PICTURE = Image.fromarray(skimage.data.astronaut())
_NAMES = [f"photo{i}.jpg" for i in range(40)]


def _recipe(*steps: list) -> dict:
    recipe = snapshots.draw(0, 0, ["a.jpg"])
    return recipe | {
        "page": None,
        "scale": 1.0,
        "at": [0.5, 0.25],
        "tone": [],
        "seed": 3,
        "steps": list(steps),
    }


def _render(*steps: list) -> tuple[np.ndarray, np.ndarray]:
    return snapshots.render(_recipe(*steps), lambda name: _PICTURE)


class DrawTest(absltest.TestCase):
    def test_recipe_depends_on_seed_and_number(self):
        drawn = [snapshots.draw(1, i, _NAMES) for i in range(50)]
        self.assertEqual(drawn, [snapshots.draw(1, i, _NAMES) for i in range(50)])
        self.assertLen({recipe["seed"] for recipe in drawn}, 50)
        self.assertNotEqual(drawn, [snapshots.draw(2, i, _NAMES) for i in range(50)])
        self.assertEqual(drawn, json.loads(json.dumps(drawn)))

    def test_split_depends_on_the_photograph(self):
        for index in range(200):
            recipe = snapshots.draw(0, index, _NAMES)
            expected = splits.hashed_split(recipe["file"], recipes.SPLIT)
            self.assertEqual(recipe["split"], expected)

    def test_every_step_is_sampled_and_some_pictures_are_unchanged(self):
        drawn = [snapshots.draw(0, index, _NAMES) for index in range(500)]
        names = {step[0] for recipe in drawn for step in recipe["steps"]}
        lenses = {"gaussian", "disc", "line", "shake"}
        self.assertEqual(
            names, lenses | {"sensor", "resize", "sharpen", "jpeg", "webp"}
        )
        alone = sum(not recipe["steps"] for recipe in drawn)
        self.assertBetween(alone / 500, 0.06, 0.16)


class RenderTest(parameterized.TestCase):
    def test_without_steps_both_are_the_crop(self):
        sharp, poor = _render()
        np.testing.assert_array_equal(sharp, poor)
        expected = _PICTURE.crop((128, 64, 384, 320))
        np.testing.assert_array_equal(sharp, np.asarray(expected))

    @parameterized.parameters(
        (["gaussian", 1.3, False],),
        (["gaussian", 2.5, True],),
        (["disc", 3.3, False],),
        (["line", 12.0, 0.4, False],),
        (["line", 5.0, 2.0, True],),
        (["sensor", 0.01, True],),
        (["sensor", 0.01, False],),
        (["resize", 2.0, "area", "bilinear"],),
        (["resize", 1.37, "lanczos", "bicubic"],),
        (["resize", 2.9, "bilinear", "lanczos"],),
        (["sharpen", 1.0, 100],),
        (["jpeg", 40, 2],),
        (["webp", 40],),
    )
    def test_step_changes_the_picture_without_shifting_it(self, step):
        sharp, poor = (pixels.astype(float).mean(-1) for pixels in _render(step))
        self.assertGreater(np.abs(sharp - poor).mean(), 0.5)
        self.assertLess(np.abs(sharp - poor).mean(), 20)
        shift, _, _ = registration.phase_cross_correlation(
            sharp, poor, upsample_factor=20, normalization=None
        )
        self.assertLess(np.abs(shift).max(), 0.11)

    def test_shake_does_not_shift_on_average(self):
        sharp, poor = (
            pixels.astype(float).mean(-1)
            for pixels in _render(["shake", 9.0, 1.0, False])
        )
        shift, _, _ = registration.phase_cross_correlation(
            sharp, poor, normalization=None
        )
        self.assertEqual(np.abs(shift).max(), 0)

    @parameterized.parameters((["jpeg", 30, 2],), (["jpeg", 90, 0],), (["webp", 60],))
    def test_compression_equals_pillow(self, step):
        sharp, poor = _render(step)
        options = {"subsampling": step[2]} if step[0] == "jpeg" else {}
        file = io.BytesIO()
        Image.fromarray(sharp).save(file, step[0], quality=step[1], **options)
        np.testing.assert_array_equal(poor, np.asarray(Image.open(file)))

    @parameterized.parameters(
        (["gaussian", 2.0, True],), (["disc", 2.5, True],), (["line", 9.0, 1.0, False],)
    )
    def test_lenses_preserve_brightness(self, step):
        flat = Image.new("RGB", (512, 512), (180, 90, 20))
        _, poor = snapshots.render(_recipe(step), lambda name: flat)
        self.assertLessEqual(np.abs(poor.astype(int) - (180, 90, 20)).max(), 1)


class SourceTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir().full_path)
        for i in range(24):
            _PICTURE.rotate(i).save(self.root / f"p{i}.jpg")
        _PICTURE.resize((300, 300)).save(self.root / "small.png")
        (self.root / "broken.jpg").write_bytes(b"nothing")

    def _open(self, split: str, **options) -> sources.Source:
        return sources.create(f"snapshots:{self.root}?count=60", split, **options)

    def test_splits_have_different_photographs(self):
        files, total = {}, 0
        names = [f"p{i}.jpg" for i in range(24)]
        for split in ("train", "test"):
            held = self._open(split)
            total += len(held)
            for index in range(min(len(held), 6)):
                record = held[index]
                self.assertEqual(record["sharp"].shape, (256, 256, 3))
                self.assertEqual(record["blurred"].shape, (256, 256, 3))
                self.assertEqual(record["sharp"].dtype, np.uint8)
                number = int(record["key"].partition("/")[2])
                recipe = snapshots.draw(0, number, names)
                self.assertEqual(recipe["split"], split)
                files.setdefault(split, set()).add(recipe["file"])
        self.assertLessEqual(total, 60)
        self.assertEmpty(files["train"] & files["test"])

    def test_index_always_gives_the_same_pair(self):
        held = self._open("train")
        copy = pickle.loads(pickle.dumps(self._open("train")))
        for index in (3, 0, -1):
            for role in ("sharp", "blurred"):
                np.testing.assert_array_equal(held[index][role], copy[index][role])
        self.assertNotEqual(
            held[0]["sharp"].tobytes(),
            self._open("train", seed=1)[0]["sharp"].tobytes(),
        )
        with self.assertRaises(IndexError):
            held[len(held)]

    def test_unusable_photographs_are_skipped_or_reported(self):
        with self.assertLogs("kdsharp", "WARNING") as logs:
            held = self._open("train")
        self.assertEqual(held.skipped, ["broken.jpg"])
        self.assertIn("broken.jpg", logs.output[0])
        empty = self.create_tempdir().full_path
        with self.assertRaisesRegex(UserError, "no photographs of at least 320"):
            sources.create(f"snapshots:{empty}", "train")
        with self.assertRaisesRegex(UserError, "divided by its photographs"):
            sources.create(f"snapshots:{self.root}?split=80/20", "train")


if __name__ == "__main__":
    absltest.main()
