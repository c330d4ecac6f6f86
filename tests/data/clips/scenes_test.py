"""Recipes, true frames against Pillow's crops, and the simulated camera."""

import json

import numpy as np
import pytest
import skimage.data
from absl.testing import absltest, parameterized
from PIL import Image

from kdsharp.data import splits
from kdsharp.data.clips import camera, recipes, scenes, screens

_PICTURE = Image.fromarray(skimage.data.coffee())
_W, _H, _COUNT = recipes.WIDTH, recipes.HEIGHT, recipes.FRAMES
_NAMES = [f"photo{i}.jpg" for i in range(60)]


def _scene(**changes) -> dict:
    plain = {
        "kind": "photo",
        "file": "coffee",
        "scale": 1.0,
        "at": [0.0, 0.0],
        "flip": False,
        "tone": [],
        "pan": [0, 0],
        "shake": 0,
        "zoom": 0,
        "hand": 1,
    }
    return plain | changes


def _frames(scene: dict) -> list[Image.Image]:
    return list(scenes.frames(scene, _Originals()))


class _Originals:
    def photograph(self, name: str) -> Image.Image:
        return {"coffee": _PICTURE}[name]


class RecipesTest(absltest.TestCase):
    def test_recipe_depends_on_seed_and_number(self):
        first = [recipes.draw(3, i, _NAMES) for i in range(50)]
        self.assertEqual(first, [recipes.draw(3, i, _NAMES) for i in range(50)])
        for others in (range(50, 100), range(50)):
            seed = 3 if others.start else 4
            for one, other in zip(first, others, strict=True):
                other = recipes.draw(seed, other, _NAMES)
                self.assertNotEqual(one.scene, other.scene)
                self.assertNotEqual(one.codec, other.codec)

    def test_recipe_round_trips_through_json(self):
        for index in range(50):
            recipe = recipes.draw(0, index, _NAMES)
            held = json.loads(json.dumps(recipe.to_json()))
            self.assertEqual(recipes.Recipe.from_json(held), recipe)

    def test_no_photograph_is_in_two_splits(self):
        used = {}
        for index in range(800):
            recipe = recipes.draw(0, index, _NAMES)
            for scene in (recipe.scene, recipe.scene.get("next", {})):
                for shown in (scene, scene.get("person", {})):
                    if "file" in shown:
                        used.setdefault(recipe.split, set()).add(shown["file"])
        self.assertEqual(set(used), {"train", "valid", "test"})
        for split, names in used.items():
            for name in names:
                self.assertEqual(splits.hashed_split(name, recipes.SPLIT), split)

    def test_splits_without_photographs_get_no_clips(self):
        train = [n for n in _NAMES if splits.hashed_split(n, "90/5/5") == "train"][:2]
        drawn = {recipes.draw(0, index, train).split for index in range(40)}
        self.assertEqual(drawn, {"train"})

    def test_every_kind_of_scene_and_codec_is_sampled(self):
        drawn = [recipes.draw(0, index, _NAMES) for index in range(300)]
        kinds = {recipe.scene["kind"] for recipe in drawn}
        self.assertEqual(kinds, {"photo", "portrait", "screen"})
        names = {recipe.codec["name"] for recipe in drawn}
        self.assertEqual(names, {"h264", "vp8", "vp9", "av1", "hevc", "none"})
        for recipe in drawn:
            self.assertTrue(all(side % 2 == 0 for side in recipe.codec["size"]))


class ScenesTest(parameterized.TestCase):
    def test_still_scene_does_not_move(self):
        frames = _frames(_scene(at=[0.3, 0.6], scale=1.2))
        self.assertLen(frames, _COUNT)
        for frame in frames:
            self.assertIs(frame, frames[0])
        self.assertEqual(frames[0].size, (_W, _H))

    def test_most_textured_candidate_is_shown(self):
        class Half:
            def photograph(self, name: str) -> Image.Image:
                picture = Image.new("RGB", _PICTURE.size, "grey")
                right = picture.width // 2
                picture.paste(_PICTURE.crop((right, 0, *_PICTURE.size)), (right, 0))
                return picture

        flat, textured = [0.0, 0.5], [1.0, 0.5]
        for places in ([flat, textured], [textured, flat]):
            scene = _scene(at=places[0], others=places[1:])
            shown = next(scenes.frames(scene, Half()))
            expected = next(scenes.frames(_scene(at=textured), Half()))
            np.testing.assert_array_equal(np.asarray(shown), np.asarray(expected))

    @parameterized.parameters(((3, 2),), ((-2, 1),), ((1, -3),))
    def test_pan_moves_by_the_pixels_in_the_recipe(self, pan):
        frames = _frames(_scene(pan=list(pan)))
        left, top = (-(_COUNT - 1) * min(v, 0) for v in pan)
        for number, frame in enumerate(frames):
            x, y = left + pan[0] * number, top + pan[1] * number
            expected = _PICTURE.crop((x, y, x + _W, y + _H))
            np.testing.assert_array_equal(np.asarray(frame), np.asarray(expected))

    def test_subpixel_pan_equals_pillow(self):
        frames = _frames(_scene(pan=[0.5, 0.25], scale=1.5, at=[0, 0]))
        for number in (1, 10):
            # A pixel of the clip is 1.5 pixels of the photograph.
            scale = min(1.5, 0.95 * 600 / _W, 0.95 * 400 / _H)
            x, y = 0.5 * scale * number, 0.25 * scale * number
            box = (x, y, x + scale * _W, y + scale * _H)
            expected = _PICTURE.resize((_W, _H), Image.Resampling.BICUBIC, box=box)
            np.testing.assert_array_equal(
                np.asarray(frames[number]), np.asarray(expected)
            )

    def test_cut_changes_the_scene_at_its_frame(self):
        before, after = _scene(), _scene(at=[1.0, 1.0], flip=True, pan=[1, 0])
        frames = _frames(before | {"cut": 11, "next": after})
        self.assertLen(frames, _COUNT)
        for alone, numbers in ((before, range(11)), (after, range(11, _COUNT))):
            alone = _frames(alone)
            for n in numbers:
                np.testing.assert_array_equal(
                    np.asarray(frames[n]), np.asarray(alone[n])
                )

    def test_person_sways_before_a_still_background(self):
        person = {
            "file": "coffee",
            "scale": 1.0,
            "at": [0.5, 0.5],
            "size": [0.3, 0.6],
            "place": [0.5, 0.5],
            "sway": [15, 0],
            "period": [32, 30],
            "phase": [0, 0],
        }
        frames = np.stack(
            [np.asarray(f) for f in _frames(_scene(kind="portrait", person=person))]
        ).astype(int)
        moved = np.abs(frames - frames[0]).max((0, 3)) > 0
        # The ellipse is 96x115 around the centre and moves 15 pixels to either side.
        rows, columns = np.nonzero(moved)
        self.assertBetween(columns.min(), 160 - 48 - 17, 160 - 48 - 13)
        self.assertBetween(columns.max(), 160 + 48 + 12, 160 + 48 + 17)
        self.assertBetween(rows.min(), 96 - 58, 96 - 50)
        self.assertBetween(rows.max(), 96 + 50, 96 + 58)

    def test_a_screen_scrolls_by_whole_rows(self):
        scene = {"kind": "screen", "page": 5, "at": [0.5, 0.2], "scroll": 3}
        frames = [np.asarray(frame) for frame in _frames(scene)]
        page = screens.page(5)
        top = round(0.2 * (page.height - _H))
        left = round(0.5 * (page.width - _W))
        for number, frame in enumerate(frames):
            row = top + 3 * number
            expected = page.crop((left, row, left + _W, row + _H))
            np.testing.assert_array_equal(frame, np.asarray(expected))

    @pytest.mark.slow
    def test_pages_depend_on_the_seed_and_are_not_empty(self):
        pages = [np.asarray(screens.page(seed)) for seed in range(8)]
        for seed, page in enumerate(pages):
            np.testing.assert_array_equal(page, np.asarray(screens.page(seed)))
            self.assertGreater(page.std(), 3)
        self.assertLen({page.tobytes() for page in pages}, 8)


class CameraTest(parameterized.TestCase):
    def _shown(self, picture: np.ndarray, pan=(0, 0), **changes) -> np.ndarray:
        plain = {"lens": "none", "noise": 0, "sharpen": 0}
        plain |= {"sigma": 1.5, "radius": 2.2, "shutter": 1.0}
        true = [Image.fromarray(picture)]
        (shown,) = camera.frames(true, {"pan": list(pan)}, plain | changes, 7)
        return shown

    @parameterized.parameters("gaussian", "disc", "line")
    def test_lenses_preserve_brightness_and_position(self, lens):
        flat = np.full((40, 60, 3), 130, np.uint8)
        np.testing.assert_array_equal(self._shown(flat, (3, 1), lens=lens), flat)
        dot = np.zeros((41, 41, 3), np.uint8)
        dot[20, 20] = 255
        spread = self._shown(dot, (3, 1), lens=lens)[..., 0].astype(float)
        self.assertBetween(spread.sum(), 235, 275)
        self.assertLess(spread.max(), 120)
        # Nor do they shift the picture.
        rows, columns = np.indices(spread.shape)
        for at in (rows, columns):
            self.assertAlmostEqual((at * spread).sum() / spread.sum(), 20, delta=0.1)

    def test_motion_blur_is_along_the_motion(self):
        dot = np.zeros((41, 41, 3), np.uint8)
        dot[20, 20] = 255
        spread = self._shown(dot, (4, 0), lens="line")[..., 0]
        self.assertEqual(np.nonzero(spread)[0].tolist(), [20] * 5)
        spread = self._shown(dot, (0, 4), lens="line", shutter=0.5)[..., 0]
        self.assertEqual(np.nonzero(spread)[1].tolist(), [20] * 3)

    def test_noise_has_its_sigma_and_differs_between_frames(self):
        flat = Image.fromarray(np.full((96, 128, 3), 128, np.uint8))
        settings = {"lens": "none", "noise": 4, "sharpen": 0}
        first, second = (
            f.astype(float)[..., 0]
            for f in camera.frames([flat, flat], {"pan": [0, 0]}, settings, 7)
        )
        for noisy in (first, second):
            self.assertAlmostEqual(noisy.std(), 4, delta=0.2)
            self.assertAlmostEqual(noisy.mean(), 128, delta=0.2)
        self.assertLess(abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]), 0.05)

    def test_camera_without_effects_changes_nothing(self):
        picture = np.asarray(_PICTURE)
        np.testing.assert_array_equal(self._shown(picture), picture)


if __name__ == "__main__":
    absltest.main()
