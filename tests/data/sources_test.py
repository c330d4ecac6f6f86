"""Creating sources from specs, and sources with damaged files."""

import pathlib
import pickle
import tempfile
import threading
from unittest import mock

import numpy as np
import skimage
from absl.testing import absltest, parameterized
from PIL import Image

from kdsharp.data import files, pipeline, sources
from kdsharp.errors import UserError


def _picture(seed: int, height: int = 40, width: int = 50) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


class CreateTest(parameterized.TestCase):
    def test_unknown_source_lists_the_known_ones(self):
        for spec in ("photos", "embedded:3", ""):
            with self.assertRaisesRegex(UserError, "'embedded', 'folder:PATH'"):
                sources.create(spec, "train")

    def test_unknown_split_lists_the_known_ones(self):
        with self.assertRaisesRegex(UserError, "train, valid, test"):
            sources.create("embedded", "dev")

    def test_folder_without_path_is_a_user_error(self):
        with self.assertRaisesRegex(UserError, "lacks the name of a folder"):
            sources.create("folder:", "train")

    def test_embedded_splits_have_different_photographs(self):
        keys = {}
        for split in ("valid", "test"):
            source = sources.create("embedded", split)
            keys[split] = {record["key"] for record in source}
            self.assertLen(keys[split], 3)
            for record in source:
                path = pathlib.Path(skimage.data_dir, record["key"])
                with Image.open(path) as image:
                    np.testing.assert_array_equal(record["sharp"], np.asarray(image))
        self.assertEmpty(keys["valid"] & keys["test"])

    def test_folder_gives_the_pictures_of_its_split(self):
        root = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        for split in ("train", "valid"):
            (root / split).mkdir()
            Image.fromarray(_picture(len(split))).save(root / split / "a.png")
        source = sources.create(f"folder:{root}", "valid")
        self.assertLen(source, 1)
        self.assertEqual(source[0]["key"], "valid/a.png")
        np.testing.assert_array_equal(source[0]["sharp"], _picture(len("valid")))


class FilesTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.names = [f"{i}.png" for i in range(4)]
        for i, name in enumerate(self.names):
            Image.fromarray(_picture(i, 40 + i)).save(self.root / name)

    def _truncate(self, name: str):
        path = self.root / name
        path.write_bytes(path.read_bytes()[:-2000])

    def test_unreadable_file_is_left_out_and_logged(self):
        (self.root / "1.png").write_text("no picture")
        with self.assertLogs("kdsharp", "WARNING") as logs:
            source = files.PictureFiles(self.root, self.names)
        self.assertLen(logs.output, 1)
        self.assertIn("1.png", logs.output[0])
        self.assertEqual(source.skipped, ["1.png"])
        self.assertEqual([r["key"] for r in source], ["0.png", "2.png", "3.png"])

    def test_truncated_file_is_logged_once_and_replaced_by_the_next(self):
        self._truncate("3.png")
        source = files.PictureFiles(self.root, self.names)
        self.assertEmpty(source.skipped)
        with self.assertLogs("kdsharp", "WARNING") as logs:
            for _ in range(3):
                self.assertEqual(source[3]["key"], "0.png")
                np.testing.assert_array_equal(source[3]["sharp"], _picture(0))
        self.assertLen(logs.output, 1)
        self.assertEqual(source.skipped, ["3.png"])

    def test_truncated_file_read_by_many_threads_is_logged_once(self):
        self._truncate("2.png")
        source = files.PictureFiles(self.root, self.names, cache_bytes=0)
        with self.assertLogs("kdsharp", "WARNING") as logs:
            threads = [threading.Thread(target=lambda: source[2]) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.assertLen(logs.output, 1)
        self.assertEqual(source.skipped, ["2.png"])

    def test_whole_pictures_has_no_duplicates_despite_a_truncated_file(self):
        self._truncate("1.png")
        source = files.PictureFiles(self.root, self.names)
        keys = [record["key"] for record in pipeline.whole_pictures(source)]
        self.assertEqual(keys, ["0.png", "2.png", "3.png"])
        keys = [record["key"] for record in pipeline.whole_pictures(source, 2)]
        self.assertEqual(keys, ["0.png", "2.png"])

    def test_only_unreadable_files_are_a_user_error(self):
        for name in self.names:
            (self.root / name).write_text("no picture")
        with self.assertRaisesRegex(UserError, "none of the 4"):
            files.PictureFiles(self.root, self.names)

    def test_only_truncated_files_are_a_user_error(self):
        for name in self.names:
            self._truncate(name)
        source = files.PictureFiles(self.root, self.names)
        with self.assertRaisesRegex(UserError, "none of the 4"):
            source[0]

    def test_pictures_below_min_side_are_left_out_and_logged(self):
        train = self.root / "train"
        train.mkdir()
        (self.root / "valid").mkdir()
        sizes = {"a.png": (16, 16), "b.png": (40, 50), "c.png": (31, 64)}
        for name, size in sizes.items():
            Image.fromarray(_picture(0, *size)).save(train / name)
        with self.assertLogs("kdsharp", "WARNING") as logs:
            source = sources.create(f"folder:{self.root}", "train", min_side=32)
        self.assertRegex(
            logs.output[0], "a.png: 16x16 is smaller than a patch of 32 pixels"
        )
        self.assertRegex(
            logs.output[1], "c.png: 64x31 is smaller than a patch of 32 pixels"
        )
        self.assertEqual([record["key"] for record in source], ["train/b.png"])
        self.assertEqual(source.smallest, ("train/b.png", 40, 50))
        self.assertEqual(source.skipped, ["train/a.png", "train/c.png"])
        pipeline.check(source, 1, 32, 1, "none", 0)
        with self.assertRaisesRegex(
            UserError, "none of the 3 .* at most 40, or larger"
        ):
            sources.create(f"folder:{self.root}", "train", min_side=64)

    def test_log_of_many_small_pictures_is_short(self):
        for index in range(30):
            Image.fromarray(_picture(index, 8, 8)).save(self.root / f"s{index}.png")
            self.names.append(f"s{index}.png")
        source = files.PictureFiles(self.root, self.names)
        with self.assertLogs("kdsharp", "WARNING") as logs:
            source.drop_smaller(32)
        self.assertLen(logs.output, 11)
        self.assertIn("20 more", logs.output[-1])
        self.assertLen(source, 4)

    def test_smallest_is_known_before_anything_is_decoded(self):
        source = files.PictureFiles(self.root, reversed(self.names))
        self.assertEqual(source.smallest, ("0.png", 40, 50))

    @parameterized.parameters(
        # Each of the four takes 6,000 bytes or slightly more.
        (0, 1, 1),
        (13_000, 1, 3),
        (0, 14_500, 2),
        (1 << 20, 1, 4),
        (0, 1 << 20, 4),
    )
    def test_cache_is_bounded(self, cache_bytes, recent_bytes, kept):
        source = files.PictureFiles(self.root, self.names, cache_bytes=cache_bytes)
        with mock.patch.object(files, "_RECENT_BYTES", recent_bytes):
            list(source)
            for name in self.names:
                (self.root / name).unlink()
            # Only cached pictures can still be read.
            keys = {record["key"] for record in pipeline.whole_pictures(source)}
        self.assertLen(keys, kept)

    def test_a_window_of_pictures_is_decoded_once(self):
        source = files.PictureFiles(self.root, self.names, cache_bytes=0)
        read, asked = source._read, []
        with (
            mock.patch.object(files, "_RECENT_BYTES", 14_500),
            mock.patch.object(
                source, "_read", side_effect=lambda n: asked.append(n) or read(n)
            ),
        ):
            self.assertEqual(source.window, 2)
            for pair in ((0, 1), (2, 3)):
                for index in 4 * pair:
                    source.lazy_record(index)
        self.assertEqual(asked, self.names)

    def test_pixels_are_read_only(self):
        source = files.PictureFiles(self.root, self.names)
        with self.assertRaises(ValueError):
            source[0]["sharp"][0, 0] = 0

    def test_pickle_holds_no_pixels(self):
        source = files.PictureFiles(self.root, self.names)
        before = len(pickle.dumps(source))
        list(source)
        self.assertEqual(len(pickle.dumps(source)), before)
        copy = pickle.loads(pickle.dumps(source))
        np.testing.assert_array_equal(copy[2]["sharp"], _picture(2, 42))


if __name__ == "__main__":
    absltest.main()
