"""`kdsharp sharpen` on files, folders and streams, and its errors."""

import json
import os
import pathlib
import re
import subprocess
import sys
from unittest import mock

import numpy as np
import skimage.data
from absl.testing import absltest, parameterized
from PIL import Image

import kdsharp
from kdsharp.media import pictures, tags
from kdsharp.weights import store
from tests.cli.running import run

_ROOT = pathlib.Path(__file__).parents[2]
_MODEL = ("--model", "rt-s-bicubic2")


def _photograph() -> np.ndarray:
    return skimage.data.chelsea()[60:120, 100:180]


class _Files(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)

    def save(self, name: str, picture: np.ndarray | None = None) -> pathlib.Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(_photograph() if picture is None else picture).save(path)
        return path

    def sharpen(self, *arguments) -> tuple[int, str]:
        status, out, complaints = run("sharpen", *arguments, *_MODEL)
        self.assertEqual(out, "")
        return status, complaints

    def written(self) -> set[str]:
        """All files below the folder, hidden and unfinished ones included."""
        return {
            str(path.relative_to(self.folder))
            for path in self.folder.rglob("*")
            if path.is_file()
        }


class OutputTest(_Files):
    def test_writes_next_to_the_input(self):
        path = self.save("photo.png")
        status, said = self.sharpen(path)
        self.assertEqual(status, 0)
        there = re.escape(str(self.folder / "photo.sharp.png"))
        self.assertRegex(said, rf"^wrote {there} in \d+\.\d s\n$")
        self.assertEqual(self.written(), {"photo.png", "photo.sharp.png"})
        wanted = kdsharp.load(_MODEL[1])(_photograph())
        found = np.asarray(Image.open(self.folder / "photo.sharp.png"))
        np.testing.assert_array_equal(found, wanted)
        self.assertFalse(np.array_equal(wanted, _photograph()))

    def test_strength_and_unsharp_are_applied(self):
        path = self.save("photo.png")
        status, _ = self.sharpen(path, "--strength", "0.5", "--unsharp", "0.3")
        self.assertEqual(status, 0)
        wanted = kdsharp.load(_MODEL[1])(_photograph(), strength=0.5, unsharp=0.3)
        found = np.asarray(Image.open(self.folder / "photo.sharp.png"))
        np.testing.assert_array_equal(found, wanted)

    def test_output_may_be_a_file_or_a_folder(self):
        path = self.save("photo.png")
        self.assertEqual(self.sharpen(path, "-o", self.folder / "new/other.webp")[0], 0)
        self.assertEqual(Image.open(self.folder / "new/other.webp").format, "WEBP")
        self.assertEqual(self.sharpen(path, "-o", self.folder / "folder")[0], 0)
        self.assertIn("folder/photo.png", self.written())

    def test_folders_keep_their_subfolders(self):
        self.save("in/a.jpg")
        self.save("in/deep/er/b.png")
        (self.folder / "in/notes.txt").write_text("no picture")
        self.assertEqual(self.sharpen(self.folder / "in")[0], 0)
        self.assertEqual(
            {name for name in self.written() if not name.startswith("in/")},
            {"in.sharp/a.jpg", "in.sharp/deep/er/b.png"},
        )
        out = self.folder / "in/out"
        for _ in range(2):  # Outputs of the first run are no inputs of the second.
            status, _ = self.sharpen(self.folder / "in", "-o", out, "--overwrite")
            self.assertEqual(status, 0)
        self.assertNotIn("in/out/out/a.jpg", self.written())

    def test_expands_file_patterns(self):
        self.save("a.png")
        self.save("b.png")
        self.save("c.jpg")
        status, said = self.sharpen(self.folder / "*.png", "-o", self.folder / "out")
        self.assertEqual(status, 0)
        self.assertContainsSubset({"out/a.png", "out/b.png"}, self.written())
        self.assertNotIn("out/c.jpg", self.written())
        self.assertIn(f"wrote 2 pictures to {self.folder / 'out'} in ", said)

    def test_reads_stdin_and_writes_stdout(self):
        path = self.save("photo.png")
        done = subprocess.run(
            [sys.executable, "-m", "kdsharp.cli", "sharpen", "-", *_MODEL],
            cwd=_ROOT,
            stdin=path.open("rb"),
            capture_output=True,
        )
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        (self.folder / "out.png").write_bytes(done.stdout)
        found = Image.open(self.folder / "out.png")
        np.testing.assert_array_equal(found, kdsharp.load(_MODEL[1])(_photograph()))

    def test_comparison_shows_before_and_after(self):
        path = self.save("photo.png")
        self.assertEqual(self.sharpen(path, "--compare")[0], 0)
        seen = np.asarray(Image.open(self.folder / "photo.compare.png"))
        after = np.asarray(Image.open(self.folder / "photo.sharp.png"))
        np.testing.assert_array_equal(seen[:, :38], _photograph()[:, :38])
        np.testing.assert_array_equal(seen[:, 42:], after[:, 42:])
        np.testing.assert_array_equal(seen[:, 40], 255)

    def test_format_follows_content_not_name(self):
        path = self.save("photo.png").rename(self.folder / "photo.jpg")
        status, complaints = self.sharpen(path)
        self.assertEqual(status, 0)
        self.assertIn("photo.jpg contains PNG data", complaints)
        self.assertEqual(Image.open(self.folder / "photo.sharp.png").format, "PNG")

    def test_formats_that_cannot_be_written_become_png(self):
        self.save("photo.gif")
        self.assertEqual(self.sharpen(self.folder / "photo.gif")[0], 0)
        self.assertIn("photo.sharp.png", self.written())

    def test_timing_lists_each_step(self):
        status, complaints = self.sharpen(self.save("photo.png"), "--timing")
        self.assertEqual(status, 0)
        for part in ("start", "load", "decode", "network", "encode"):
            self.assertRegex(complaints, rf"{part} \d+\.\d\d")
        self.assertRegex(complaints, r"\d+\.\d\d in total")


class ErrorTest(_Files):
    def assert_refused(self, status: int, words: str, *arguments):
        before = self.written()
        found, complaints = self.sharpen(*arguments)
        self.assertEqual(found, status, complaints)
        self.assertRegex(complaints, words)
        self.assertNotIn("Traceback", complaints)
        self.assertEqual(complaints.count("\n"), 1)
        self.assertEqual(self.written(), before)

    def test_user_errors_are_one_sentence_and_write_nothing(self):
        photo = self.save("photo.png")
        other = self.save("other.png")
        empty = self.folder / "empty"
        empty.mkdir()
        for status, words, *arguments in (
            (1, "there is no such file", self.folder / "nothing.png"),
            (2, "no files match", self.folder / "*.webp"),
            (2, "empty holds no pictures", empty),
            (2, "strength 2 is out of range", photo, "--strength", 2),
            (2, "unsharp -1 is out of range", photo, "--unsharp", -1),
            (2, "unknown backend 'abacus'", photo, "--backend", "abacus"),
            (2, "--megapixels 0 is out of range", photo, "--megapixels", 0),
            (2, "--megapixels inf is out of range", photo, "--megapixels", "inf"),
            (2, "unknown format 'gif'; choose one of: jpg", photo, "--format", "gif"),
            (
                2,
                "does not fit --format WEBP",
                photo,
                "--format",
                "webp",
                "-o",
                "out.png",
            ),
            (1, "more than 0.001 megapixels", photo, "--megapixels", 0.001),
            (2, r"out.txt: the name must end in", photo, "-o", "out.txt"),
            (2, "name a folder for several", photo, other, "-o", "out.png"),
            (2, "one picture", photo, other, "-o", "-"),
            (2, "is a folder", self.folder, "-o", "-"),
            (2, "names a second file|second file", photo, "-o", "-", "--compare"),
        ):
            with self.subTest(words):
                self.assert_refused(status, words, *arguments)
        status, _, complaints = run("sharpen", photo, "--model", "nothing")
        self.assertEqual(status, 2)
        self.assertRegex(complaints, "no weights 'nothing'")

    def test_existing_files_need_overwrite(self):
        photo = self.save("photo.png")
        there = self.folder / "photo.sharp.png"
        there.write_text("precious")
        self.assert_refused(1, "photo.sharp.png exists", photo)
        self.assertEqual(there.read_text(), "precious")
        self.assertEqual(self.sharpen(photo, "--overwrite")[0], 0)
        self.assertEqual(Image.open(there).format, "PNG")

    @parameterized.parameters(
        ("clip.mp4", b"\0\0\0\x18ftypisom\0\0\2\0isommp42"),
        ("clip.mov", b"\0\0\0\x14ftypqt  \0\0\2\0qt  "),
        ("clip.mkv", b"\x1a\x45\xdf\xa3\x93\x42\x82\x88matroska"),
        ("clip.avi", b"RIFF\x24\0\0\0AVI LIST"),
    )
    def test_videos_are_referred_to_kdsharp_video(self, name, start):
        path = self.folder / name
        path.write_bytes(start + bytes(200))
        self.assert_refused(1, "it is a video: use kdsharp video", path)

    def test_unreadable_files_do_not_stop_the_others(self):
        self.save("in/a.png")
        self.save("in/z.png")
        (self.folder / "in/bad.jpg").write_text("a letter")
        (self.folder / "in/empty.jpg").write_bytes(b"")
        status, complaints = self.sharpen(self.folder / "in")
        self.assertEqual(status, 1)
        self.assertIn("bad.jpg: it is not a picture", complaints)
        self.assertIn("empty.jpg: it is empty", complaints)
        self.assertEndsWith(
            complaints, "2 of 4 pictures sharpened; 2 refused, for the reasons above\n"
        )
        self.assertContainsSubset({"in.sharp/a.png", "in.sharp/z.png"}, self.written())

    def test_unexpected_errors_do_not_stop_the_others(self):
        self.save("in/a.png")
        self.save("in/b.png")
        self.save("in/c.png")
        write = pictures.write

        def fail_once(picture, path, **options):
            if path.name == "b.png":
                raise OverflowError("cannot convert float infinity to integer")
            write(picture, path, **options)

        with mock.patch.object(pictures, "write", fail_once):
            status, complaints = self.sharpen(self.folder / "in")
        self.assertEqual(status, 1)
        self.assertIn(
            "in/b.png: could not be sharpened (OverflowError: cannot convert",
            complaints,
        )
        self.assertIn("2 of 3 pictures sharpened; 1 refused", complaints)
        self.assertContainsSubset({"in.sharp/a.png", "in.sharp/c.png"}, self.written())

    def test_folders_are_searched_by_content_and_skipped_files_counted(self):
        self.save("in/a.png").rename(self.folder / "in/without")
        mpo = self.save("in/b.jpg").rename(self.folder / "in/b.mpo")
        raw = {254: tags.longs(1), 330: tags.longs(8), 256: tags.longs(160)}
        (self.folder / "in/c.nef").write_bytes(tags.pack(raw))
        (self.folder / "in/d.exr").write_bytes(b"\x76\x2f\x31\x01" + bytes(99))
        for name in ("notes.txt", "more.txt", "film.mp4", "README"):
            (self.folder / "in" / name).write_text("no picture")
        status, complaints = self.sharpen(self.folder / "in")
        self.assertEqual(status, 1)
        self.assertIn("c.nef: it is a camera raw file: convert it", complaints)
        self.assertIn("d.exr: OpenEXR is not supported", complaints)
        self.assertEndsWith(
            complaints,
            "2 of 4 pictures sharpened; 2 refused, for the reasons above; skipped 4 "
            "files that are not pictures (2 .txt, 1 no extension, 1 .mp4)\n",
        )
        self.assertTrue(mpo.exists())
        made = {name for name in self.written() if name.startswith("in.sharp/")}
        self.assertEqual(made, {"in.sharp/without.png", "in.sharp/b.jpg"})

    def test_format_applies_to_the_whole_folder(self):
        clear = np.dstack([_photograph(), np.full((60, 80, 1), 99, np.uint8)])
        self.save("in/a.jpg")
        self.save("in/deep/b.png", clear)
        status, complaints = self.sharpen(self.folder / "in", "--format", "bmp")
        self.assertEqual(status, 1)
        self.assertIn("BMP has no transparency", complaints)
        status, complaints = self.sharpen(
            self.folder / "in", "--format", "webp", "-o", self.folder / "out"
        )
        self.assertEqual(status, 0, complaints)
        self.assertNotIn("contains", complaints)
        for name in ("out/a.webp", "out/deep/b.webp"):
            self.assertEqual(Image.open(self.folder / name).format, "WEBP")

    def test_two_inputs_cannot_share_an_output(self):
        self.save("a/photo.png")
        self.save("b/photo.png")
        status, complaints = self.sharpen(
            self.folder / "a/photo.png",
            self.folder / "b/photo.png",
            "-o",
            self.folder / "out",
            "--overwrite",
        )
        self.assertEqual(status, 1)
        self.assertIn("is already the output of another picture", complaints)

    def test_an_unwritable_output_is_one_sentence(self):
        photo = self.save("photo.png")
        (self.folder / "file").write_text("no folder")
        self.assert_refused(1, "file", photo, "-o", self.folder / "file/out.png")

    def test_refuses_to_write_to_a_terminal(self):
        photo = self.save("photo.png")
        parent, child = os.openpty()
        self.addCleanup(os.close, parent)
        done = subprocess.run(
            [sys.executable, "-m", "kdsharp.cli", "sharpen", photo, "-o", "-"],
            cwd=_ROOT,
            stdout=child,
            stderr=subprocess.PIPE,
        )
        os.close(child)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"standard output is a terminal", done.stderr)


class ModelsTest(absltest.TestCase):
    def test_lists_included_networks_with_their_cards(self):
        status, out, complaints = run("models")
        self.assertEqual((status, complaints), (0, ""))
        for name in store.shipped():
            card = json.loads(store.locate(name).with_suffix(".json").read_text())
            self.assertIn(name, out)
            self.assertIn(card["licence"], out)
            self.assertIn(card["data_licence"], out)
        # 8,132 parameters; a convolution at half the size: 2 x 9 x inputs x outputs.
        self.assertIn("8,132", out)
        layers = 4 * 16 + 3 * 16 * 16 + 16 * 4
        gflop = 2 * 9 * layers * 640 * 360 / 1e9
        found = float(re.search(r"8,132 .*\n +([\d.]+) GFLOP", out)[1])
        self.assertBetween(found, gflop - 0.05, 1.05 * gflop)
        self.assertIn("33.67 -> 36.98", out)


if __name__ == "__main__":
    absltest.main()
