"""The atlas and crops on the device, against NumPy slices and Pillow."""

import itertools

import jax
import numpy as np
import pytest
from absl.testing import absltest, parameterized
from PIL import Image

from kdsharp.data import atlas, crops, pipeline
from kdsharp.errors import UserError

_SIZES = ((48, 64), (80, 50), (33, 90), (70, 70))


class Coded:
    """Pictures whose red, green and blue encode the row, the column and the picture."""

    skipped: tuple = ()
    smallest = None
    window = None

    def __init__(self, sizes=_SIZES, paired: bool = False):
        self.sizes = sizes
        self.paired = paired

    def __len__(self):
        return len(self.sizes)

    def __getitem__(self, index):
        height, width = self.sizes[index]
        y, x = np.mgrid[:height, :width]
        sharp = np.stack([y, x, np.full_like(y, 10 * index)], -1).astype(np.uint8)
        record = {"key": str(index), "sharp": sharp}
        return record | {"blurred": 255 - sharp} if self.paired else record


class Damaged(Coded):
    """The second picture is damaged, so its index gives the third."""

    def __getitem__(self, index):
        return super().__getitem__(2 if index == 1 else index)


class Noise(Coded):
    """Pictures of noise."""

    def __getitem__(self, index):
        size = *self.sizes[index], 3
        sharp = np.random.default_rng(index).integers(0, 256, size, np.uint8)
        return {"key": str(index), "sharp": sharp}


def _cut(source, count: int, patch: int = 16, seed: int = 0, **options):
    """Cuts `count` crops of each picture; also returns the pictures' numbers."""
    options = {"augment": "none", "shrink": 0.0, "extremes": 0.0} | options
    held = atlas.load(source, patch, crops.margin(patch, options["shrink"]))
    cut = crops.create(held, patch_size=patch, **options)
    pictures = np.arange(len(source)).repeat(count)
    keys = jax.random.split(jax.random.key(seed), len(pictures))
    found = jax.jit(cut)(held, pictures, keys)
    return {name: np.asarray(value) for name, value in found.items()}, pictures


class AtlasTest(parameterized.TestCase):
    def test_atlas_holds_every_picture_once(self):
        rng = np.random.default_rng(0)
        sizes = [tuple(map(int, rng.integers(20, 400, 2))) for _ in range(300)]
        places, height, width = atlas.pack(sizes)
        taken = np.zeros((height, width), int)
        for (top, left, *size), expected in zip(places, sizes, strict=True):
            self.assertEqual(tuple(size), expected)
            taken[top : top + size[0], left : left + size[1]] += 1
        self.assertEqual(taken.max(), 1)
        self.assertEqual(taken.sum(), sum(h * w for h, w in sizes))
        self.assertLess(taken.size, 1.1 * taken.sum())

    def test_pictures_of_one_size_leave_no_gaps(self):
        _, height, width = atlas.pack([(192, 320)] * 24)
        self.assertEqual(height * width, 24 * 192 * 320)

    def test_damaged_picture_is_replaced_by_the_next(self):
        held = atlas.load(Damaged(), 16)
        np.testing.assert_array_equal(held.places[1], held.places[2])
        self.assertLen(np.unique(held.places, axis=0), 3)

    def test_memory_is_estimated_without_loading_everything(self):
        source = Coded(sizes=[(30, 40)] * 1000)
        self.assertEqual(atlas.estimate(source), 1000 * 30 * 40 * 3)
        paired = Coded(paired=True)
        total = 2 * 3 * sum(h * w for h, w in _SIZES)
        self.assertEqual(atlas.estimate(paired), total)

    def test_picture_smaller_than_the_patch_is_a_user_error(self):
        with self.assertRaisesRegex(UserError, "40 pixels does not fit.* 2, .* 90x33"):
            atlas.load(Coded(), 40)


class CropsTest(parameterized.TestCase):
    @parameterized.parameters("none", "flip", "dihedral")
    def test_a_crop_is_a_slice_of_its_picture(self, augment):
        source = Coded()
        found, pictures = _cut(source, 40, augment=augment)
        seen = set()
        for crop, index in zip(found["sharp"], pictures, strict=True):
            top, left, code = crop.reshape(-1, 3).min(0)
            self.assertEqual(code, 10 * index)
            piece = source[index]["sharp"][top : top + 16, left : left + 16]
            positions = [np.rot90(p, k) for p in (piece, piece[::-1]) for k in range(4)]
            allowed = {
                "none": [piece],
                "flip": [piece, piece[:, ::-1]],
                "dihedral": positions,
            }[augment]
            fits = [i for i, p in enumerate(allowed) if np.array_equal(crop, p)]
            self.assertLen(fits, 1)
            seen.add(fits[0])
        self.assertLen(seen, len(allowed))

    def test_crop_positions_are_uniform(self):
        (height, width), count = (33, 90), 4000
        found, _ = _cut(Coded(sizes=[(height, width)]), count)
        corners = found["sharp"][:, 0, 0, :2]
        for axis, places in ((0, height - 15), (1, width - 15)):
            drawn = np.bincount(corners[:, axis], minlength=places)
            self.assertLen(drawn, places)
            expected = count / places
            # The mean of chi-squared is its degrees of freedom.
            chi = np.sum((drawn - expected) ** 2 / expected) / (places - 1)
            self.assertBetween(chi, 0.4, 1.8)

    def test_pairs_are_cut_at_one_place_and_not_changed(self):
        found, _ = _cut(
            Coded(paired=True), 10, augment="dihedral", shrink=1.0, extremes=1.0
        )
        np.testing.assert_array_equal(found["sharp"], 255 - found["blurred"])
        self.assertEqual(found["sharp"].shape[1:], (16, 16, 3))

    def test_shrunk_crops_equal_pillow(self):
        ramps, noise = Coded(sizes=[(60, 70)]), Noise(sizes=[(60, 70)])
        picture = Image.fromarray(noise[0]["sharp"])
        places, _ = _cut(ramps, 200, shrink=1.0)
        found, _ = _cut(noise, 200, shrink=1.0)
        sizes = []
        for ramp, crop in zip(
            places["sharp"].astype(float), found["sharp"], strict=True
        ):
            # Equal keys cut the same square; the ramps show which.
            inner = ramp[4:12, 4:12]
            size = round(16 * np.mean(inner[-1, :, 0] - inner[0, :, 0]) / 7)
            middle = inner.mean((0, 1))[:2] + 0.5
            nearby = [
                _reduced(picture, top, left, side)
                for side in range(max(16, size - 2), size + 3)
                for top in _around(middle[0] - side / 2)
                for left in _around(middle[1] - side / 2)
            ]
            away = [np.abs(other - crop.astype(int)).max() for other in nearby]
            self.assertLessEqual(min(away), 1)
            sizes.append(size)
        # Log-uniform up to three times the patch.
        self.assertBetween(np.mean(np.log(np.divide(sizes, 16))), 0.45, 0.65)
        self.assertGreater(max(sizes), 44)
        self.assertLess(min(sizes), 19)

    def test_fractions_of_crops_are_shrunk_or_stretched(self):
        source = Coded(sizes=[(200, 200)])
        found, _ = _cut(source, 1000, shrink=0.3)
        step = np.diff(found["sharp"][:, :, 8, 0].astype(int), axis=1).mean(1)
        self.assertBetween(np.mean(step > 1.04), 0.22, 0.34)
        found, _ = _cut(source, 1000, extremes=0.2)
        whole = np.ptp(found["sharp"][..., 0].reshape(1000, -1).astype(int), axis=1)
        self.assertBetween(np.mean(whole > 15), 0.16, 0.24)

    @pytest.mark.slow
    def test_crops_are_distributed_as_in_the_pipeline(self):
        source = Coded(sizes=[(64, 64)] * 3)
        options = {"augment": "dihedral", "shrink": 0.5, "extremes": 0.5}
        ours, _ = _cut(source, 300, **options)
        batches = pipeline.batches(
            source, batch_size=300, patch_size=16, seed=0, **options
        )
        theirs = np.concatenate([b["sharp"] for b in itertools.islice(batches, 3)])
        for measure in (np.mean, np.std):
            self.assertAlmostEqual(
                np.mean([measure(c) for c in ours["sharp"]]),
                np.mean([measure(c) for c in theirs]),
                delta=5,
            )


def _around(place: float) -> range:
    return range(max(0, round(place) - 1), round(place) + 2)


def _reduced(picture: Image.Image, top: int, left: int, size: int) -> np.ndarray:
    square = picture.crop((left, top, left + size, top + size))
    return np.asarray(square.resize((16, 16), Image.Resampling.BICUBIC), int)


if __name__ == "__main__":
    absltest.main()
