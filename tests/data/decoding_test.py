"""Decoding picture files of every format and mode to upright uint8 RGB."""

import pathlib
import tempfile

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from kdsharp.data import decoding


def _ramp(height: int = 6, width: int = 8) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


class PicturesTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    @parameterized.parameters("png", "bmp", "tif", "ppm", "tga")
    def test_lossless_files_are_decoded_exactly(self, suffix):
        path = self.folder / f"picture.{suffix}"
        Image.fromarray(_ramp()).save(path)
        np.testing.assert_array_equal(decoding.read(path), _ramp())

    @parameterized.parameters(("RGB", 1), ("L", 1), ("RGB", 6))
    def test_slice_of_decoded_equals_slice_of_the_array(self, mode, orientation):
        path = self.folder / "picture.png"
        image = Image.fromarray(_ramp()).convert(mode)
        exif = Image.Exif()
        exif[0x0112] = orientation
        image.save(path, exif=exif)
        upright = np.asarray(image.convert("RGB"))
        if orientation == 6:  # Rotated by 90 degrees.
            upright = np.rot90(upright, -1)
        decoded = decoding.decode(path)
        self.assertEqual(decoded.shape, upright.shape)
        np.testing.assert_array_equal(decoded[2:5, 1:6], upright[2:5, 1:6])
        np.testing.assert_array_equal(decoded, upright)

    def test_greyscale_is_the_same_in_every_channel(self):
        path = self.folder / "grey.png"
        grey = _ramp()[..., 0]
        Image.fromarray(grey).save(path)
        for channel in range(3):
            np.testing.assert_array_equal(decoding.read(path)[..., channel], grey)

    def test_palette_is_applied(self):
        path = self.folder / "palette.gif"
        image = Image.new("P", (4, 3))
        image.putpalette([10, 20, 30, 200, 100, 50])
        image.putpixel((1, 2), 1)
        image.save(path)
        expected = np.full((3, 4, 3), (10, 20, 30))
        expected[2, 1] = (200, 100, 50)
        np.testing.assert_array_equal(decoding.read(path), expected)

    def test_transparency_is_composited_onto_white(self):
        path = self.folder / "alpha.png"
        pixels = np.zeros((1, 3, 4), np.uint8)
        pixels[0, :, 3] = (0, 51, 255)
        Image.fromarray(pixels, "RGBA").save(path)
        # 20% black over white is 80% of 255.
        np.testing.assert_array_equal(decoding.read(path)[0, :, 0], (255, 204, 0))

    def test_sixteen_bits_are_scaled_to_eight(self):
        path = self.folder / "deep.png"
        eight = np.arange(256, dtype=np.uint16).reshape(16, 16)
        Image.fromarray(eight * 257).save(path)
        np.testing.assert_array_equal(decoding.read(path)[..., 1], eight)

    def test_floating_point_runs_from_zero_to_one(self):
        path = self.folder / "float.tif"
        Image.fromarray(np.array([[0, 0.2, 1, 1.5]], np.float32)).save(path)
        np.testing.assert_array_equal(decoding.read(path)[0, :, 2], (0, 51, 255, 255))

    # What each orientation tag says about the stored rows and columns.
    @parameterized.parameters(
        (1, lambda p: p),
        (2, np.fliplr),
        (3, lambda p: np.rot90(p, 2)),
        (4, np.flipud),
        (5, lambda p: p.swapaxes(0, 1)),
        (6, lambda p: np.rot90(p, -1)),
        (7, lambda p: np.rot90(p, 2).swapaxes(0, 1)),
        (8, np.rot90),
    )
    def test_orientation_is_applied(self, tag, upright):
        pixels = np.zeros((32, 48, 3), np.uint8)
        pixels[:16, :16] = 255
        path = self.folder / "turned.jpg"
        exif = Image.Exif()
        exif[0x0112] = tag
        Image.fromarray(pixels).save(path, exif=exif, quality=95, subsampling=0)
        expected = upright(pixels)
        self.assertEqual(decoding.size(path), expected.shape[:2])
        self.assertLess(np.abs(decoding.read(path) - expected.astype(int)).max(), 20)

    def test_size_reads_only_the_header(self):
        path = self.folder / "cut.png"
        Image.fromarray(_ramp(64, 48)).save(path)
        path.write_bytes(path.read_bytes()[:200])
        self.assertEqual(decoding.size(path), (64, 48))
        with self.assertRaises(decoding.BadPictureError):
            decoding.read(path)

    @parameterized.parameters(b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 40)
    def test_other_files_raise_bad_picture_error(self, content):
        path = self.folder / "bad.png"
        path.write_bytes(content)
        for function in (decoding.size, decoding.read):
            with self.assertRaises(decoding.BadPictureError):
                function(path)

    @parameterized.parameters(
        ("a.jpg", True),
        ("a.JPEG", True),
        ("b/c.webp", True),
        ("a.txt", False),
        ("a.json", False),
        ("a.mpg", False),
        ("jpg", False),
    )
    def test_picture_suffixes_are_recognised(self, name, expected):
        self.assertEqual(decoding.has_picture_suffix(name), expected)


if __name__ == "__main__":
    absltest.main()
