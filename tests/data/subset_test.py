"""Subsets of a source: fewer pictures, downscaled and centre-cropped."""

import os
import pathlib
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from kdsharp.data import pipeline, sources
from kdsharp.errors import UserError
from tests.data import layouts


class SubsetTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir().full_path)
        for i, (height, width) in enumerate(((41, 60), (50, 30), (24, 80))):
            for split in ("train", "valid"):
                path = self.root / f"photos/{split}/{i}.png"
                layouts.save(path, layouts.picture(i, height, width))

    def _create(self, options: str, split: str = "train"):
        return sources.create(f"folder:{self.root}/photos{options}", split)

    def test_the_first_pictures_are_taken(self):
        source = self._create("?first=2")
        self.assertLen(source, 2)
        self.assertEqual([r["key"] for r in source], ["train/0.png", "train/1.png"])
        self.assertEqual(source[-1]["key"], "train/1.png")
        self.assertLen(self._create("?first=99"), 3)

    def test_pictures_are_centre_cropped(self):
        source = self._create("?crop=32")
        wanted = (
            layouts.picture(0, 41, 60).crop((14, 4, 46, 36)),
            layouts.picture(1, 50, 30).crop((0, 9, 30, 41)),
            layouts.picture(2, 24, 80).crop((24, 0, 56, 24)),
        )
        for record, picture in zip(source, wanted, strict=True):
            np.testing.assert_array_equal(record["sharp"], np.asarray(picture))
        self.assertEqual(source.smallest, ("train/2.png", 24, 32))

    def test_pictures_are_downscaled_before_cropping(self):
        source = self._create("?short=28&crop=20")
        whole = layouts.picture(0, 41, 60).resize((41, 28), Image.Resampling.LANCZOS)
        np.testing.assert_array_equal(
            source[0]["sharp"], np.asarray(whole.crop((10, 4, 30, 24)))
        )
        # Already smaller, so unchanged.
        np.testing.assert_array_equal(
            source[2]["sharp"],
            np.asarray(layouts.picture(2, 24, 80).crop((30, 2, 50, 22))),
        )
        self.assertEqual(self._create("?short=28").smallest, ("train/2.png", 24, 80))
        self.assertEqual(self._create("?short=20").smallest, ("train/2.png", 20, 67))
        for picture in self._create("?short=20"):
            self.assertEqual(min(picture["sharp"].shape[:2]), 20)

    def test_pairs_are_cropped_alike(self):
        for i in range(3):
            for split in ("train", "valid"):
                folder = self.root / "pairs" / split
                layouts.save_pair(
                    folder / f"sharp/{i}.png", folder / f"blur/{i}.png", i, 40, 40
                )
        spec = f"paired:{self.root}/pairs"
        part = sources.create(f"{spec}?crop=16&first=2", "train")
        whole = sources.create(spec, "train")
        self.assertLen(part, 2)
        for i in range(2):
            for name in ("sharp", "blurred"):
                np.testing.assert_array_equal(
                    part[i][name], whole[i][name][12:28, 12:28]
                )

    def test_split_is_another_option(self):
        for i in range(40):
            path = self.root / f"many/{i}.png"
            layouts.save(path, layouts.picture(i, 24, 24))
        spec = f"folder:{self.root}/many?split=50/50"
        whole = sources.create(spec, "valid")
        part = sources.create(f"{spec}&first=3&crop=8", "valid")
        self.assertEqual([r["key"] for r in part], [whole[i]["key"] for i in range(3)])

    def test_only_the_pictures_taken_are_generated(self):
        cache = self.create_tempdir().full_path
        self.enter_context(mock.patch.dict(os.environ, KDSHARP_CACHE=cache))
        source = sources.create("embedded?first=2&crop=48", "train")
        self.assertLen(source, 2)
        self.assertEqual(source[1]["sharp"].shape, (48, 48, 3))
        (file,) = pathlib.Path(cache).glob("*.npy")
        self.assertIn("-2x", file.name)

    def test_batches_are_cut_from_the_subset(self):
        batch = next(
            pipeline.batches(
                self._create("?crop=24"), batch_size=4, patch_size=24, seed=0
            )
        )
        self.assertEqual(batch["sharp"].shape, (4, 24, 24, 3))
        with self.assertRaisesRegex(UserError, "does not fit the picture"):
            next(
                pipeline.batches(
                    self._create("?crop=24"), batch_size=4, patch_size=25, seed=0
                )
            )

    def test_folder_names_may_contain_a_question_mark(self):
        path = self.root / "what?/train/a.png"
        layouts.save(path, layouts.picture(0, 24, 24))
        source = sources.create(f"folder:{self.root}/what??first=1", "train")
        self.assertLen(source, 1)

    @parameterized.parameters(
        ("?first=0", "first in .* must be a whole number of at least 1, not '0'"),
        ("?crop=-3", "crop in .* must be a whole number of at least 1, not '-3'"),
        ("?first=", "first in .* must be a whole number of at least 1, not ''"),
        (
            "?first=3&last=3",
            "unknown option 'last' .*; choose one of: split, first, short",
        ),
        ("?crop=8&split=80/30", "invalid split '80/30'"),
    )
    def test_invalid_option_is_a_user_error(self, options, message):
        with self.assertRaisesRegex(UserError, message):
            self._create(options)


if __name__ == "__main__":
    absltest.main()
