"""Pairs in folders of the usual names; pictures without partner are skipped."""

import pathlib
import pickle

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from kdsharp.data import paired, pipeline, sources
from kdsharp.errors import UserError
from tests.data import layouts


class PairedTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir().full_path)

    def _pair(self, sharp: str, blurred: str, seed: int = 0):
        layouts.save_pair(self.root / sharp, self.root / blurred, seed, 40, 56)

    def _helen(self, count: int = 30):
        for i in range(count):
            self._pair(f"sharp/{i}.png", f"blur/{i}.png", i)

    @parameterized.parameters(
        ("sharp/1.png", "blur/1.png", "1"),
        ("Sharp/1.png", "Blurred/1.jpg", "1"),
        ("target/x/1.png", "input/x/1.png", "x/1"),
        ("gt/1.v2.png", "lq/1.v2.png", "1.v2"),
        ("B/1.png", "A/1.png", "1"),
        ("a/sharp/1.png", "a/blur/1.png", "a/1"),
    )
    def test_roles_by_folder_name(self, sharp, blurred, key):
        self._pair(sharp, blurred)
        pairs = paired.find_pairs(self.root)
        self.assertEqual(pairs, {key: {"sharp": sharp, "blurred": blurred}})

    def test_folders_of_other_names_are_ignored(self):
        self._pair("s1/sharp/1.png", "s1/blur/1.png")
        self._pair("s1/blur_gamma/1.png", "notes/2.png")
        self.assertEqual(list(paired.find_pairs(self.root)), ["s1/1"])

    def test_a_record_holds_both_pictures(self):
        self._helen()
        source = sources.create(f"paired:{self.root}", "train")
        self.assertEqual(source.smallest[1:], (40, 56))
        for record in source:
            key = record["key"]
            for role, folder in (("sharp", "sharp"), ("blurred", "blur")):
                expected = layouts.read(self.root / folder / f"{key}.png")
                np.testing.assert_array_equal(record[role], expected)

    def test_splits_partition_the_pairs(self):
        self._helen()
        keys = []
        for split in ("train", "valid", "test"):
            spec = f"paired:{self.root}?split=60/20/20"
            keys += [record["key"] for record in sources.create(spec, split)]
        self.assertCountEqual(keys, [str(i) for i in range(30)])

    def test_subfolders_train_and_valid_define_the_splits(self):
        for split in ("train", "valid"):
            self._pair(f"{split}/sharp/1.png", f"{split}/blur/1.png")
        for split in ("train", "valid"):
            source = sources.create(f"paired:{self.root}", split)
            self.assertEqual([r["key"] for r in source], [f"{split}/1"])

    def test_pipeline_crops_both_alike(self):
        for i in range(8):
            image = layouts.picture(i, 40, 56)
            layouts.save(self.root / f"train/sharp/{i}.png", image)
            inverse = Image.eval(image, lambda value: 255 - value)
            layouts.save(self.root / f"train/blur/{i}.png", inverse)
            layouts.save(self.root / f"valid/sharp/{i}.png", image)
        source = sources.create(f"paired:{self.root}", "train")
        batches = pipeline.batches(
            source, batch_size=8, patch_size=24, seed=0, augment="dihedral"
        )
        batch = next(batches)
        np.testing.assert_array_equal(batch["blurred"], 255 - batch["sharp"])

    def test_bad_pairs_are_logged_once_and_skipped(self):
        self._helen()
        spec = f"paired:{self.root}"
        good = [record["key"] for record in sources.create(spec, "train")]
        alone, unequal, broken, late = good[:4]
        (self.root / f"blur/{alone}.png").unlink()
        layouts.save(self.root / f"blur/{unequal}.png", layouts.picture(0, 40, 55))
        (self.root / f"sharp/{broken}.png").write_text("no picture")
        layouts.truncate(self.root / f"blur/{late}.png")
        with self.assertLogs("kdsharp", "WARNING") as logs:
            source = sources.create(spec, "train")
            for _ in range(2):
                keys = [record["key"] for record in source]
        self.assertLen(logs.output, 4)
        self.assertIn(f"sharp/{alone}.png has no blurred partner", logs.output[0])
        self.assertIn("sharp picture is 56x40, the blurred one 55x40", logs.output[1])
        self.assertCountEqual(source.skipped, [alone, unequal, broken, late])
        # Pairs found damaged later are replaced by the next.
        self.assertEqual(keys, [good[4], *good[4:]])

    def test_only_bad_pairs_are_a_user_error(self):
        self._pair("train/sharp/1.png", "valid/blur/2.png")
        self._pair("valid/sharp/2.png", "other/3.png")
        with self.assertRaisesRegex(
            UserError, "none of the 1 pairs .*sharp/ and blur/"
        ):
            sources.create(f"paired:{self.root}", "train")

    def test_a_folder_without_pairs_says_how_to_make_them(self):
        self._pair("a.png", "b.png")
        with self.assertRaisesRegex(UserError, "no pairs: put .* same names"):
            sources.create(f"paired:{self.root}", "train")
        with self.assertRaisesRegex(UserError, "no folder .*nowhere"):
            sources.create(f"paired:{self.root}/nowhere", "train")

    def test_pickled_copy_reads_the_same(self):
        self._helen()
        source = sources.create(f"paired:{self.root}", "train")
        copy = pickle.loads(pickle.dumps(source))
        np.testing.assert_array_equal(copy[3]["blurred"], source[3]["blurred"])


class SpecTest(parameterized.TestCase):
    @parameterized.parameters("paired:", "tfds:", "folder:?split=80/20")
    def test_source_without_path_is_a_user_error(self, spec):
        with self.assertRaisesRegex(UserError, "lacks the name"):
            sources.create(spec, "train")

    def test_invalid_scheme_is_reported_before_reading_the_folder(self):
        with self.assertRaisesRegex(UserError, "80/30"):
            sources.create("folder:/nowhere?split=80/30", "train")

    def test_embedded_source_takes_no_scheme(self):
        with self.assertRaisesRegex(UserError, "no source"):
            sources.create("embedded?split=80/20", "train")


if __name__ == "__main__":
    absltest.main()
