"""Finding pictures in folders, and their splits."""

import collections
import contextlib
import os
import pathlib
import re
import tempfile

from absl.testing import absltest, parameterized

from kdsharp.data import folder, splits
from kdsharp.errors import UserError

_NOBODY = 65534


@contextlib.contextmanager
def _not_as_root(root: pathlib.Path):
    """Makes a folder unreadable, even when the tests run as root."""
    if os.geteuid():
        yield
        return
    for path in (root, *root.rglob("*")):
        os.chown(path, _NOBODY, -1)
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


class FolderTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def _touch(self, *names: str):
        for name in names:
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    def test_order_is_natural_and_other_files_are_ignored(self):
        self._touch("p10.jpg", "p9.jpg", "b/P1.PNG", "notes.txt", ".hidden.jpg")
        self._touch(".cache/x.jpg", "labels.json", "a.jpeg")
        self.assertEqual(
            folder.find_pictures(self.root), ["a.jpeg", "b/P1.PNG", "p9.jpg", "p10.jpg"]
        )

    def test_symlink_to_a_parent_does_not_recurse(self):
        self._touch("sub/a.jpg")
        os.symlink(self.root, self.root / "sub" / "loop")
        self.assertEqual(folder.find_pictures(self.root), ["sub/a.jpg"])

    def test_symlink_to_another_folder_is_followed(self):
        other = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (other / "a.jpg").touch()
        os.symlink(other, self.root / "linked")
        self.assertEqual(folder.find_pictures(self.root), ["linked/a.jpg"])

    def test_default_split_is_80_10_10(self):
        names = [f"picture{i}.jpg" for i in range(5000)]
        counts = collections.Counter(map(splits.hashed_split, names))
        # Four standard deviations of the binomial.
        self.assertAlmostEqual(counts["train"] / 5000, 0.8, delta=0.023)
        self.assertAlmostEqual(counts["valid"] / 5000, 0.1, delta=0.017)
        self.assertAlmostEqual(counts["test"] / 5000, 0.1, delta=0.017)

    def test_picture_keeps_its_split_when_others_are_added(self):
        self._touch(*(f"old{i}.jpg" for i in range(60)))
        before = {s: folder.names_of_split(self.root, s) for s in splits.SUBFOLDERS}
        self.assertEqual(sum(map(len, before.values())), 60)
        self._touch(*(f"a/new{i}.jpg" for i in range(60)))
        for split, names in before.items():
            after = folder.names_of_split(self.root, split)
            self.assertEqual([n for n in after if n.startswith("old")], names)

    @parameterized.parameters("valid", "val", "validation")
    def test_subfolders_define_the_splits(self, valid):
        trained = [f"train/{i}.jpg" for i in range(30)]
        self._touch(*trained, f"{valid}/x.jpg", "outside.jpg")
        self.assertEqual(folder.names_of_split(self.root, "train"), trained)
        self.assertEqual(folder.names_of_split(self.root, "valid"), [f"{valid}/x.jpg"])
        with self.assertLogs("kdsharp", "WARNING") as logs:
            names = folder.names_of_split(self.root, "test")
        self.assertEqual(names, [f"{valid}/x.jpg"])
        self.assertLen(logs.output, 1)
        self.assertIn("also chose the best checkpoint", logs.output[0])
        self._touch("test/y.jpg")
        self.assertEqual(folder.names_of_split(self.root, "test"), ["test/y.jpg"])

    def test_test_subfolder_is_never_used_for_training(self):
        self._touch(*(f"train/{i}.jpg" for i in range(50)), "test/1.jpg")
        train = folder.names_of_split(self.root, "train")
        valid = folder.names_of_split(self.root, "valid")
        self.assertEqual(folder.names_of_split(self.root, "test"), ["test/1.jpg"])
        self.assertLen(train + valid, 50)
        self.assertNotEmpty(valid)
        self.assertNotIn("test/1.jpg", train + valid)

    def test_missing_folder_is_a_user_error(self):
        with self.assertRaisesRegex(UserError, "no folder .*nowhere"):
            folder.names_of_split(self.root / "nowhere", "train")

    def test_file_instead_of_a_folder_is_a_user_error(self):
        self._touch("photos.zip")
        with self.assertRaisesRegex(UserError, "photos.zip is a file.*unpack it"):
            folder.names_of_split(self.root / "photos.zip", "train")

    def test_unreadable_subfolder_is_logged_and_skipped(self):
        self._touch("a.jpg", "locked/b.jpg")
        self.assertLen(folder.find_pictures(self.root), 2)
        (self.root / "locked").chmod(0)
        self.addCleanup((self.root / "locked").chmod, 0o700)
        with self.assertLogs("kdsharp", "WARNING") as logs, _not_as_root(self.root):
            self.assertEqual(folder.find_pictures(self.root), ["a.jpg"])
        self.assertRegex(logs.output[0], "locked: Permission denied")

    def test_folder_without_pictures_is_a_user_error(self):
        self._touch("notes.txt")
        with self.assertRaisesRegex(UserError, "holds no picture"):
            folder.names_of_split(self.root, "train")

    def test_empty_split_says_what_to_do(self):
        self._touch("a.jpg")
        empty = {"train", "valid", "test"} - {splits.hashed_split("a.jpg")}
        for split in empty:
            with self.assertRaisesRegex(UserError, f"none in the split '{split}'"):
                folder.names_of_split(self.root, split)

    @parameterized.parameters(2, 3, 4)
    def test_suggested_scheme_for_few_pictures_works(self, count):
        found = 0
        for attempt in range(20):
            root = pathlib.Path(self.create_tempdir().full_path)
            names = [f"{attempt}-{index}.jpg" for index in range(count)]
            for name in names:
                (root / name).touch()
            advised, used = self._advice(root), None
            while advised:
                found += 1
                self.assertNotEqual(advised, used)
                used = advised
                advised = self._advice(root, used)
            if used:
                train = folder.names_of_split(root, "train", used)
                valid = folder.names_of_split(root, "valid", used)
                self.assertCountEqual(train + valid, names)
        self.assertGreater(found, 0)

    def _advice(self, root: pathlib.Path, scheme: str | None = None) -> str | None:
        """The scheme that the message for an empty split suggests."""
        try:
            for split in ("train", "valid", "test"):
                folder.names_of_split(root, split, scheme)
        except UserError as error:
            return re.search(r"'\?split=([\d/]+)'", str(error))[1]

    def test_empty_subfolder_is_a_user_error(self):
        self._touch("train/a.jpg")
        (self.root / "valid").mkdir()
        with self.assertRaisesRegex(UserError, "'valid': put some into valid/"):
            folder.names_of_split(self.root, "valid")


if __name__ == "__main__":
    absltest.main()
