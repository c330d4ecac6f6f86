"""Large pictures in bands of rows, against the same pictures read and written whole."""

import io
import mmap
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import skimage.data
import tifffile
from absl.testing import absltest, parameterized
from PIL import Image

import kdsharp
from kdsharp.commands import sharpen
from kdsharp.media import bands, pictures
from tests.cli.running import run


def _pixels(channels: int, bits: int) -> np.ndarray:
    pixels = skimage.data.astronaut()[:300, :170]
    pixels = pixels if channels == 3 else pixels[..., :1]
    if bits == 8:
        return pixels
    low = np.random.default_rng(0).integers(0, 256, pixels.shape, dtype=np.uint16)
    return pixels.astype(np.uint16) << 8 | low


class BandsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = Path(self.create_tempdir().full_path)
        # Some rows at once.
        self.enter_context(mock.patch.object(bands, "_BYTES", 17_000))
        self.enter_context(mock.patch.object(sharpen, "_LARGE", 10_000))

    @parameterized.product(channels=(1, 3), bits=(8, 16), format_=("PNG", "TIFF"))
    def test_what_is_written_is_what_was_read(self, channels, bits, format_):
        pixels = _pixels(channels, bits)
        flat = pixels[..., 0] if channels == 1 else pixels
        exif = Image.Exif()
        exif[0x010F] = "Maker"
        file = io.BytesIO()
        Image.fromarray(pixels[..., 0].astype(np.uint8)).save(
            file, "JPEG", exif=exif, dpi=(99, 99)
        )
        told = pictures.read(file.getvalue()).metadata
        before = self.folder / "before"
        before.write_bytes(pictures.encode(pictures.Picture(flat, told), format_))
        rows = bands.open_rows(before)
        self.assertEqual((rows.shape, rows.dtype), (pixels.shape, pixels.dtype))
        for _ in range(2):  # As often as one likes.
            for top, bottom in ((0, 50), (20, 130), (125, 300)):
                np.testing.assert_array_equal(rows[top:bottom], pixels[top:bottom])
        for ending, reads in ((".png", None), (".tif", tifffile.imread)):
            after = self.folder / f"after{ending}"
            kept = [rows[at : min(at + 70, 300)] for at in range(0, 300, 70)]
            bands.write(after, pictures.format_of(after), rows, kept)
            again = pictures.read(after)
            np.testing.assert_array_equal(again.pixels, flat)
            self.assertAlmostEqual(again.metadata.dpi[0], 99, places=1)
            with Image.open(after) as image:
                self.assertEqual(image.getexif()[0x010F], "Maker")
            if reads:
                np.testing.assert_array_equal(reads(after), flat)

    @parameterized.parameters("rt-s-bicubic2", "rt-l-photo")
    def test_sharpened_in_bands_it_is_the_same_picture(self, model):
        pixels = np.tile(_pixels(3, 8), (3, 4, 1))
        path = self.folder / "photo.png"
        Image.fromarray(pixels).save(path)
        sharpener = kdsharp.load(model)
        found = np.concatenate(list(sharpener.bands(bands.open_rows(path))))
        np.testing.assert_array_equal(found, sharpener(pixels))

    @parameterized.product(before=("jpg", "png", "tif"), after=("jpg", "png", "tif"))
    @pytest.mark.slow
    def test_the_command_writes_the_same_picture(self, before, after):
        pixels = np.tile(_pixels(3, 8), (2, 3, 1))
        path = self.folder / f"photo.{before}"
        in_strips = {"compression": "tiff_lzw"} if before == "tif" else {}
        Image.fromarray(pixels).save(path, dpi=(99, 99), **in_strips)
        banded, whole = (
            self.folder / f"{name}.{after}" for name in ("banded", "whole")
        )
        write = bands.write
        with mock.patch.object(bands, "write", side_effect=write) as written:
            status, _, complaints = run("sharpen", path, "-o", banded)
        self.assertEqual(status, 0, complaints)
        self.assertTrue(written.called)
        with mock.patch.object(sharpen, "_LARGE", 10**9):
            self.assertEqual(run("sharpen", path, "-o", whole)[0], 0)
        with Image.open(banded) as found, Image.open(whole) as wanted:
            np.testing.assert_array_equal(np.asarray(found), np.asarray(wanted))
            self.assertAlmostEqual(found.info["dpi"][0], 99, places=1)

    @parameterized.product(
        channels=(1, 3), progressive=(False, True), subsampling=(0, 1, 2)
    )
    def test_jpegs_are_the_same_as_read_and_written_whole(
        self, channels, progressive, subsampling
    ):
        pixels = _pixels(channels, 8)
        flat = pixels[..., 0] if channels == 1 else pixels
        before, after = self.folder / "before.jpg", self.folder / "after.jpg"
        Image.fromarray(flat).save(
            before,
            quality=80,
            progressive=progressive,
            subsampling=subsampling,
            comment="by hand",
        )
        whole = pictures.read(before)
        rows = bands.open_rows(before)
        with mock.patch.object(bands, "_PART", 700):
            for _ in range(2):
                for top, bottom in ((0, 50), (20, 130), (125, 300)):
                    np.testing.assert_array_equal(
                        rows[top:bottom].reshape(flat[top:bottom].shape),
                        whole.pixels[top:bottom],
                    )
            dark = (255 - rows[at : min(at + 70, 300)] for at in range(0, 300, 70))
            bands.write(after, "JPEG", rows, dark)
        negative = pictures.Picture(255 - whole.pixels, whole.metadata)
        wanted = Image.open(io.BytesIO(pictures.encode(negative, "JPEG")))
        with Image.open(after) as found:
            np.testing.assert_array_equal(np.asarray(found), np.asarray(wanted))
            self.assertEqual(found.quantization, wanted.quantization)
            self.assertEqual(found.info["comment"], b"by hand")
            self.assertEqual("progressive" in found.info, progressive)

    @unittest.skipUnless(Path("/proc/self/statm").exists(), "only Linux tells")
    def test_a_jpeg_takes_little_memory(self):
        def held() -> int:
            pages = Path("/proc/self/statm").read_text().split()[1]
            return int(pages) * mmap.PAGESIZE

        path = self.folder / "photo.jpg"
        Image.fromarray(np.tile(_pixels(3, 8), (13, 23, 1))).save(path)
        rows = bands.open_rows(path)
        before, most = held(), 0
        for top in range(0, len(rows), 100):
            rows[top : top + 100]
            most = max(most, held() - before)
        self.assertLess(most, np.prod(rows.shape) / 2)

    @parameterized.parameters("png", "tif", "jpg")
    def test_a_damaged_picture_gets_one_sentence_and_no_output(self, ending):
        path = self.folder / f"photo.{ending}"
        in_strips = {"compression": "tiff_lzw"} if ending == "tif" else {}
        Image.fromarray(np.tile(_pixels(3, 8), (2, 3, 1))).save(path, **in_strips)
        content = path.read_bytes()
        if ending == "tif":  # Its tags are at the end.
            content = content[:9000] + bytes(99) + content[9099:]
        else:
            content = content[: len(content) // 2]
        path.write_bytes(content)
        status, _, complaints = run("sharpen", path)
        self.assertEqual(status, 1)
        self.assertRegex(
            complaints.splitlines()[-1], f"^kdsharp: {path}: it is damaged"
        )
        self.assertEqual([file.name for file in self.folder.iterdir()], [path.name])

    def test_what_has_no_plain_rows_is_read_whole(self):
        image = Image.fromarray(_pixels(3, 8))
        clear = image.copy()
        clear.putalpha(99)
        exif = Image.Exif()
        exif[0x0112] = 6
        for number, (one, format_, options) in enumerate(
            (
                (clear, "PNG", {}),
                (image.quantize(9), "PNG", {}),
                (image, "PNG", {"transparency": (1, 2, 3)}),
                (image, "PNG", {"exif": exif}),
                (image, "PNG", {"save_all": True, "append_images": [image.rotate(9)]}),
                (image, "JPEG", {"exif": exif}),
                (image.convert("CMYK"), "JPEG", {}),
                (image.convert("CMYK"), "TIFF", {}),
            )
        ):
            path = self.folder / str(number)
            one.save(path, format_, **options)
            self.assertIsNone(bands.open_rows(path), (format_, options))


if __name__ == "__main__":
    absltest.main()
