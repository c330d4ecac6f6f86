"""Picture files keep everything but their pixels."""

import dataclasses
import io
import logging
import resource
import struct
import unittest
import zlib
from pathlib import Path
from unittest import mock

import numpy as np
import skimage.data
import tifffile
from absl.testing import absltest, parameterized
from PIL import Image, ImageCms, ImageOps, JpegImagePlugin, PngImagePlugin

from kdsharp.errors import UserError
from kdsharp.media import file_types, pictures, tags

try:
    import pillow_heif
except ImportError:
    pillow_heif = None

_ICC_OBJECT = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
_ICC = _ICC_OBJECT.tobytes()
_XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r tiff:Orientation="6"/></x:xmpmeta>'
_KEEPS_ALL = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")


def _photograph(mode: str = "RGB") -> Image.Image:
    return Image.fromarray(skimage.data.coffee()[150:230, 200:299]).convert(mode)


def _exif(orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif[0x0112] = orientation
    exif.get_ifd(0x8769)[0x829D] = 2.8  # Aperture.
    return exif


def _file(image: Image.Image, format_: str, **options) -> io.BytesIO:
    file = io.BytesIO()
    image.save(file, format_, **options)
    file.seek(0)
    return file


def _read(file: io.BytesIO) -> pictures.Picture:
    return pictures.read(file.getvalue())


def _again(file: io.BytesIO, format_: str) -> Image.Image:
    """Reads a picture and writes it with unchanged pixels."""
    return Image.open(io.BytesIO(pictures.encode(_read(file), format_)))


def _deep(channels: int) -> np.ndarray:
    shape = (70, 53, channels) if channels > 1 else (70, 53)
    smooth = np.linspace(0, 60000, 70 * 53).reshape(70, 53).astype(np.uint16)
    noise = np.random.default_rng(0).integers(0, 5000, shape, dtype=np.uint16)
    return noise + (smooth[..., None] if channels > 1 else smooth)


class MetadataTest(parameterized.TestCase):
    @parameterized.parameters(*_KEEPS_ALL)
    def test_exif_profile_xmp_and_resolution_are_kept(self, format_):
        xmp = {"pnginfo": _png_xmp()} if format_ == "PNG" else {"xmp": _XMP}
        if format_ == "TIFF":
            xmp = {}
        exif = _exif()
        if format_ == "TIFF":
            exif[700] = _XMP
        options = {
            "exif": exif.tobytes(),
            "icc_profile": _ICC,
            "dpi": (240, 240),
            **xmp,
        }
        again = _again(_file(_photograph(), format_, **options), format_)
        self.assertEqual(again.format, format_)
        self.assertEqual(again.getexif()[0x010F], "Maker")
        self.assertAlmostEqual(float(again.getexif().get_ifd(0x8769)[0x829D]), 2.8)
        self.assertEqual(again.info["icc_profile"], _ICC)
        told = again.info.get("xmp") or again.info["XML:com.adobe.xmp"]
        told = told if isinstance(told, bytes) else told.encode()
        self.assertEqual(told, _XMP.replace(b"6", b"1"))
        if format_ in ("JPEG", "PNG", "TIFF"):
            np.testing.assert_allclose(
                [float(dpi) for dpi in again.info["dpi"]], 240, atol=0.01
            )

    @parameterized.parameters("raw", "tiff_lzw", "tiff_deflate", "packbits")
    def test_tiffs_keep_exif_at_any_compression(self, compression):
        exif = _exif()
        exif[0x010E] = "Mueller"
        exif.get_ifd(0x8769)[0x927C] = b"made \0 by the maker"
        exif.get_ifd(0x8825)[2] = (48.0, 8.0, 14.5)  # Latitude.
        # Pillow writes no more than ASCII.
        exif = exif.tobytes().replace(b"Mueller", "Müller".encode())
        camera = _file(_photograph(), "JPEG", exif=exif)
        stored = _file(_photograph(), "TIFF", compression=compression)
        told = dataclasses.replace(
            _read(camera).metadata,
            format="TIFF",
            dpi=None,
            encoding=_read(stored).metadata.encoding,
        )
        picture = pictures.Picture(np.asarray(_photograph()), told)
        file = io.BytesIO(pictures.encode(picture, "TIFF"))
        # Once more, from a TIFF.
        again = io.BytesIO(pictures.encode(_read(file), "TIFF"))
        for written in (file, again):
            with tifffile.TiffFile(written) as found:
                tags = found.pages[0].tags
                self.assertEqual(tags["Make"].value, "Maker")
                self.assertEqual(tags["ImageDescription"].value, "Müller")
                nested = tags["ExifTag"].value
                self.assertAlmostEqual(nested["FNumber"], 2.8)
                self.assertEqual(nested["MakerNote"], b"made \0 by the maker")
                self.assertNotIn("XResolution", tags)
                gps = tags["GPSTag"].value
                self.assertEqual(gps["GPSLatitude"], (48, 1, 8, 1, 29, 2))
            image = Image.open(written)
            self.assertEqual(
                image.info["compression"].replace("adobe_", ""), compression
            )
            np.testing.assert_array_equal(image, _photograph())

    @parameterized.product(
        orientation=tuple(range(1, 9)), formats=(("JPEG", "JPEG"), ("JPEG", "BMP"))
    )
    def test_pictures_are_rotated_once(self, orientation, formats):
        file = _file(_photograph(), formats[0], exif=_exif(orientation), quality=100)
        wanted = ImageOps.exif_transpose(Image.open(file))
        found = ImageOps.exif_transpose(_again(file, formats[1]))
        self.assertEqual(found.size, wanted.size)
        difference = np.asarray(found, int) - np.asarray(wanted, int)
        self.assertLess(np.abs(difference).mean(), 2)

    def test_16_bit_pictures_are_rotated_once(self):
        deep = _deep(3)
        picture = pictures.Picture(deep, _read(_file(_photograph(), "PNG")).metadata)
        png = pictures.encode(picture, "PNG")
        # Its EXIF, of Pillow, says that the picture lies on its side.
        exif = _exif(6).tobytes().removeprefix(b"Exif\0\0")
        chunk = struct.pack(">L", len(exif)) + b"eXIf" + exif
        chunk += struct.pack(">L", zlib.crc32(b"eXIf" + exif))
        read = pictures.read(png[:33] + chunk + png[33:])
        np.testing.assert_array_equal(read.pixels, np.rot90(deep, -1))
        file = io.BytesIO()
        tifffile.imwrite(
            file, deep, photometric="rgb", extratags=[(274, 3, 1, 6, True)]
        )
        np.testing.assert_array_equal(_read(file).pixels, np.rot90(deep, -1))

    @parameterized.parameters("4:4:4", "4:2:2", "4:2:0")
    def test_jpegs_keep_quality_and_subsampling(self, subsampling):
        for quality, progressive in ((35, True), (92, False)):
            file = _file(
                _photograph(),
                "JPEG",
                quality=quality,
                subsampling=subsampling,
                progressive=progressive,
                comment=b"by hand",
            )
            before, after = Image.open(file), _again(file, "JPEG")
            self.assertEqual(after.quantization, before.quantization)
            self.assertEqual(
                JpegImagePlugin.get_sampling(after),
                JpegImagePlugin.get_sampling(before),
            )
            self.assertEqual("progressive" in after.info, progressive)
            self.assertEqual(after.info["comment"], b"by hand")

    def test_lossless_formats_stay_lossless(self):
        for mode in ("RGB", "RGBA"):
            image = _photograph(mode)
            if mode == "RGBA":
                image.putalpha(_photograph("L"))
                image.putpixel((3, 3), (9, 8, 7, 0))
            for format_, options in (
                ("WEBP", {"lossless": True, "exact": True}),
                ("TIFF", {"compression": "tiff_lzw"}),
                ("PNG", {}),
                ("BMP", {}),
            ):
                if (format_, mode) == ("BMP", "RGBA"):
                    continue
                again = _again(_file(image, format_, **options), format_)
                np.testing.assert_array_equal(again, image, err_msg=format_)
                if format_ == "TIFF":
                    self.assertEqual(again.info["compression"], "tiff_lzw")

    def test_pngs_keep_their_text(self):
        words = Image.open(
            _file(_photograph(), "PNG", pnginfo=_png_xmp(Title="Coffee"))
        )
        self.assertEqual(words.text["Title"], "Coffee")
        again = _again(
            _file(_photograph(), "PNG", pnginfo=_png_xmp(Title="Coffee")), "PNG"
        )
        self.assertEqual(again.text["Title"], "Coffee")


def _png_xmp(**texts):
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", _XMP.decode())
    for name, words in texts.items():
        info.add_text(name, words)
    return info


class ModeTest(parameterized.TestCase):
    @parameterized.parameters("L", "LA", "RGB", "RGBA")
    def test_modes_are_kept(self, mode):
        read = _read(_file(_photograph(mode), "PNG"))
        np.testing.assert_array_equal(read.pixels, _photograph(mode))
        self.assertEqual(_again(_file(_photograph(mode), "PNG"), "PNG").mode, mode)

    def test_palettes_are_resolved(self):
        image = _photograph().quantize(40)
        read = _read(_file(image, "PNG"))
        np.testing.assert_array_equal(read.pixels, image.convert("RGB"))
        read = _read(_file(image, "GIF", transparency=3))
        self.assertEqual(read.pixels.shape[-1], 4)
        np.testing.assert_array_equal(read.pixels[..., 3] == 0, np.asarray(image) == 3)
        black = _photograph("1")
        np.testing.assert_array_equal(
            _read(_file(black, "PNG")).pixels, black.convert("L")
        )

    def test_transparent_colours_become_alpha(self):
        file = _file(Image.new("RGB", (4, 4), (1, 2, 3)), "PNG", transparency=(1, 2, 3))
        self.assertTrue((_read(file).pixels == (1, 2, 3, 0)).all())

    @parameterized.product(channels=(1, 2, 3, 4), compression=(None, "zlib"))
    def test_16_bit_tiffs_round_trip(self, channels, compression):
        deep = _deep(channels)
        file = io.BytesIO()
        tifffile.imwrite(
            file,
            deep,
            photometric="minisblack" if channels < 3 else "rgb",
            planarconfig="contig" if channels > 1 else None,
            extrasamples=["unassalpha"] if channels in (2, 4) else None,
            compression=compression,
        )
        if channels == 2:  # Pillow has no such pictures.
            with self.assertRaises(UserError):
                _read(file)
            return
        read = _read(file)
        np.testing.assert_array_equal(read.pixels, deep)
        written = io.BytesIO(pictures.encode(read, "TIFF"))
        np.testing.assert_array_equal(tifffile.imread(written), deep)

    def test_16_bit_grey_with_alpha_becomes_a_tiff_that_can_be_read(self):
        deep = _deep(2)
        told = _read(_file(_photograph(), "PNG")).metadata
        written = pictures.encode(pictures.Picture(deep, told), "TIFF")
        wanted = np.dstack([deep[..., :1].repeat(3, axis=-1), deep[..., 1:]])
        np.testing.assert_array_equal(pictures.read(written).pixels, wanted)
        np.testing.assert_array_equal(tifffile.imread(io.BytesIO(written)), wanted)

    @parameterized.parameters(1, 2, 3, 4)
    def test_16_bit_pngs_round_trip(self, channels):
        deep = _deep(channels)
        told = _read(_file(_photograph(), "PNG", icc_profile=_ICC, dpi=(99, 99)))
        written = pictures.encode(pictures.Picture(deep, told.metadata), "PNG")
        # Pillow checks every checksum, and has the upper bytes right.
        image = Image.open(io.BytesIO(written))
        self.assertEqual(image.info["icc_profile"], _ICC)
        if channels == 1:
            np.testing.assert_array_equal(image, deep)
        elif channels > 2:
            np.testing.assert_array_equal(image, deep >> 8)
        np.testing.assert_array_equal(pictures.read(written).pixels, deep)

    def test_16_bit_tiffs_keep_their_metadata(self):
        told = _read(
            _file(_photograph(), "JPEG", exif=_exif(), icc_profile=_ICC, dpi=(99, 99))
        )
        written = pictures.encode(pictures.Picture(_deep(3), told.metadata), "TIFF")
        image = Image.open(io.BytesIO(written))
        self.assertEqual(image.getexif()[0x010F], "Maker")
        self.assertAlmostEqual(float(image.getexif().get_ifd(0x8769)[0x829D]), 2.8)
        self.assertEqual(image.info["icc_profile"], _ICC)
        self.assertEqual(image.info["dpi"], (99, 99))

    def test_unsupported_pixels_are_rounded_or_refused(self):
        told = _read(_file(_photograph(), "PNG")).metadata
        deep = pictures.Picture(_deep(3), told)
        shown = np.asarray(Image.open(io.BytesIO(pictures.encode(deep, "BMP"))))
        np.testing.assert_array_equal(shown, np.round(_deep(3) / 257).astype(np.uint8))
        clear = pictures.Picture(np.zeros((4, 4, 4), np.uint8), told)
        for format_ in ("JPEG", "BMP"):
            with self.assertRaisesRegex(UserError, f"{format_} has no transparency"):
                pictures.encode(clear, format_)


def _chunk(name: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(name + body)
    return struct.pack(">L", len(body)) + name + body + struct.pack(">L", checksum)


def _png(width: int, bits: int, colour: int, row: bytes, *chunks: bytes) -> bytes:
    """A PNG of one row."""
    head = struct.pack(">LLBBBBB", width, 1, bits, colour, 0, 0, 0)
    parts = [
        _chunk(b"IHDR", head),
        *chunks,
        _chunk(b"IDAT", zlib.compress(b"\0" + row)),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + _chunk(b"IEND", b"")


class TransparencyTest(parameterized.TestCase):
    @parameterized.parameters(
        (1, b"\x40", 1, [[0, 255], [255, 0]]),
        (2, b"\x60", 2, [[85, 255], [170, 0]]),
        (4, b"\x3c", 12, [[51, 255], [204, 0]]),
        (8, b"\x07\x08", 8, [[7, 255], [8, 0]]),
        (16, b"\x01\x07\x01\x08", 0x108, [[0x107, 65535], [0x108, 0]]),
    )
    def test_transparent_grey_levels_become_alpha(self, bits, row, hidden, wanted):
        file = _png(2, bits, 0, row, _chunk(b"tRNS", struct.pack(">H", hidden)))
        read = pictures.read(file)
        np.testing.assert_array_equal(read.pixels[0], wanted)
        again = pictures.read(pictures.encode(read, "PNG"))
        np.testing.assert_array_equal(again.pixels, read.pixels)

    def test_transparent_16_bit_colours_become_alpha(self):
        row = struct.pack(">6H", 1, 2, 3, 1, 2, 259)  # Alike in what is low, or high.
        file = _png(2, 16, 2, row, _chunk(b"tRNS", struct.pack(">3H", 1, 2, 3)))
        np.testing.assert_array_equal(
            pictures.read(file).pixels[0], [[1, 2, 3, 0], [1, 2, 259, 65535]]
        )

    def test_tga_and_dds_palettes_keep_alpha(self):
        head = struct.pack("<BBBHHBHHHHBB", 0, 1, 1, 0, 2, 32, 0, 0, 2, 1, 8, 0x28)
        tga = head + bytes([10, 20, 30, 40, 50, 60, 70, 255]) + bytes([0, 1])
        wanted = [[[30, 20, 10, 40], [70, 60, 50, 255]]]
        np.testing.assert_array_equal(pictures.read(tga).pixels, wanted)
        palette = bytes([30, 20, 10, 40, 70, 60, 50, 255]).ljust(1024, b"\0")
        dds = struct.pack("<4s7L44x", b"DDS ", 124, 0x1007, 1, 2, 2, 0, 0)
        dds += (
            struct.pack("<8L20x", 32, 0x20, 0, 8, 0, 0, 0, 0) + palette + bytes([0, 1])
        )
        np.testing.assert_array_equal(pictures.read(dds).pixels, wanted)

    def test_a_palette_whose_alpha_is_unused_is_opaque(self):
        head = struct.pack("<BBBHHBHHHHBB", 0, 1, 1, 0, 2, 32, 0, 0, 2, 1, 8, 0x28)
        tga = head + bytes([10, 20, 30, 0, 50, 60, 70, 0]) + bytes([0, 1])
        read = pictures.read(tga).pixels
        np.testing.assert_array_equal(read, [[[30, 20, 10], [70, 60, 50]]])

    def test_premultiplied_16_bit_alpha_is_divided(self):
        straight = _deep(4)
        straight[..., 3] |= 0x4000
        alpha = straight[..., 3:] / 65535
        multiplied = np.rint(straight[..., :3] * alpha).astype(np.uint16)
        file = io.BytesIO()
        tifffile.imwrite(
            file,
            np.dstack([multiplied, straight[..., 3]]),
            photometric="rgb",
            extrasamples=["assocalpha"],
        )
        read = _read(file).pixels.astype(int)
        # What rounding lost was at most half a step of what alpha left.
        np.testing.assert_allclose(read[..., :3], straight[..., :3], atol=2.5)
        np.testing.assert_array_equal(read[..., 3], straight[..., 3])


class XmpTest(absltest.TestCase):
    def test_reads_xmp_written_by_imagemagick(self):
        lines = [_XMP.hex()[at : at + 72] for at in range(0, 2 * len(_XMP), 72)]
        words = "\n".join(["", "xmp", f"{len(_XMP):8}", *lines, ""])
        info = PngImagePlugin.PngInfo()
        info.add_text("Raw profile type xmp", words, zip=True)
        read = _read(_file(_photograph(), "PNG", pnginfo=info))
        self.assertEqual(read.metadata.xmp, _XMP.replace(b"6", b"1"))

    def test_long_xmp_is_kept_in_pngs(self):
        xmp = _XMP.replace(b"6", b"1") + b" " * (1 << 21)
        read = _read(_file(_photograph(), "TIFF", tiffinfo={700: xmp}))
        again = pictures.read(pictures.encode(read, "PNG"))
        self.assertEqual(again.metadata.xmp, xmp)

    def test_extended_xmp_is_kept(self):
        name = b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 32
        long = name + struct.pack(">LL", 5, 0) + b"<r/>\n"
        long = b"\xff\xe1" + struct.pack(">H", 2 + len(long)) + long
        file = _file(_photograph(), "JPEG", xmp=_XMP, extra=long).getvalue()
        self.assertIn(long, pictures.encode(pictures.read(file), "JPEG"))


def _gif(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "GIF")
    return file.getvalue()


class AnimationTest(parameterized.TestCase):
    @parameterized.parameters(
        ("GIF", "PNG"), ("PNG", "WEBP"), ("WEBP", "WEBP"), ("AVIF", "PNG")
    )
    def test_frames_and_durations_are_kept(self, before, after):
        frames = [_photograph().rotate(90 * turn) for turn in (0, 2, 1)]
        lossless = {"lossless": True} if before == "WEBP" else {}
        file = _file(
            frames[0],
            before,
            save_all=True,
            append_images=frames[1:],
            duration=[40, 80, 120],
            loop=3,
            **lossless,
        )
        with self.assertRaisesRegex(UserError, r"animated \(3 frames\)"):
            _read(file)
        read = pictures.read(file.getvalue(), animated=True)
        again = Image.open(io.BytesIO(pictures.encode(read, after)))
        self.assertEqual((again.format, again.n_frames), (after, 3))
        original = Image.open(file)
        for number, duration in enumerate((40, 80, 120)):
            again.seek(number)
            original.seek(number)
            again.load()
            self.assertEqual(again.info["duration"], duration)
            np.testing.assert_allclose(
                again.convert("RGB"),
                np.asarray(original.convert("RGB"), float),
                atol=0 if (after, before) != ("WEBP", "PNG") else 60,
            )
        if before != "AVIF":
            self.assertEqual(again.info["loop"], 3)

    @parameterized.parameters("WEBP", "AVIF")
    def test_durations_are_rounded_if_necessary(self, format_):
        frames = {"save_all": True, "append_images": [_photograph().rotate(180)]}
        file = _file(_photograph(), "PNG", duration=[12.5, 33], **frames).getvalue()
        read = pictures.read(file, animated=True)
        self.assertEqual(read.metadata.encoding["timing"]["duration"][1], 33)
        again = Image.open(io.BytesIO(pictures.encode(read, format_)))
        self.assertEqual(again.n_frames, 2)

    def test_frames_of_different_sizes_are_refused(self):
        small, large = (_gif(Image.new("L", (side, side), side)) for side in (2, 4))
        # The second one's frame behind the first's, without header and palette.
        palette = 3 * 2 ** ((large[10] & 7) + 1)
        with self.assertRaisesRegex(UserError, "its frames differ in size"):
            pictures.read(small[:-1] + large[13 + palette :], animated=True)

    def test_animations_need_a_format_that_supports_them(self):
        frames = {"save_all": True, "append_images": [_photograph().rotate(180)]}
        file = _file(_photograph(), "PNG", **frames).getvalue()
        read = pictures.read(file, animated=True)
        with self.assertRaisesRegex(UserError, "JPEG cannot store animations"):
            pictures.encode(read, "JPEG")


class HdrTest(parameterized.TestCase):
    @parameterized.parameters(
        (9, 16, "it is HDR \\(PQ\\)"), (9, 18, "HLG"), (12, 13, "Display P3 without")
    )
    def test_hdr_and_wide_gamut_are_refused(self, primaries, transfer, words):
        avif = _file(_photograph(), "AVIF").getvalue()
        at = avif.index(b"colrnclx") + 8
        avif = avif[:at] + struct.pack(">HH", primaries, transfer) + avif[at + 4 :]
        points = _chunk(b"cICP", bytes([primaries, transfer, 0, 1]))
        for file in (avif, _png(1, 16, 2, bytes(6), points)):
            with self.assertRaisesRegex(UserError, words):
                pictures.read(file)

    def test_gain_maps_of_other_formats_are_reported(self):
        file = _file(_photograph(), "AVIF", xmp=b"bitmap").getvalue()
        with self.assertNoLogs("kdsharp", "WARNING"):
            pictures.read(file)
        entry = struct.pack(">LLHH", 22, 0, 3, 0) + b"tmap" + bytes(6)
        with self.assertLogs("kdsharp", "WARNING") as logs:
            pictures.read(file + struct.pack(">L4s", 8 + len(entry), b"free") + entry)
        self.assertIn("the HDR gain map is dropped", logs.output[0])

    @parameterized.parameters(1, 6, 8)
    def test_gain_maps_are_kept(self, orientation):
        small = _photograph().resize((25, 20))
        small.info["comment"] = b"http://ns.adobe.com/hdr-gain-map/1.0/"
        file = _file(
            _photograph(),
            "MPO",
            save_all=True,
            append_images=[small],
            exif=_exif(orientation),
            quality=95,
        )
        image = Image.open(file)
        self.assertEqual((image.format, image.n_frames), ("MPO", 2))
        image.seek(1)
        image.getexif()[0x0112] = orientation
        wanted = ImageOps.exif_transpose(image)
        again = _again(file, "JPEG")
        self.assertEqual((again.format, again.n_frames), ("MPO", 2))
        self.assertEqual(again.getexif().get(0x0112, 1), 1)
        again.seek(1)
        self.assertEqual(again.size, wanted.size)
        difference = np.asarray(again, int) - np.asarray(wanted, int)
        self.assertLess(np.abs(difference).mean(), 3)
        with self.assertLogs("kdsharp", "WARNING") as told:
            _again(file, "PNG")
        self.assertIn("gain map", told.output[0])


def _profile_of_inks() -> bytes:
    """An ICC profile of four multiplicative inks, as 16-bit tables."""

    def table(inputs: int, outputs: int, grid: int, values: np.ndarray) -> bytes:
        unit = np.eye(3) * 65536
        head = struct.pack(
            ">4sLBBBx9lHH",
            b"mft2",
            0,
            inputs,
            outputs,
            grid,
            *unit.astype(int).ravel(),
            2,
            2,
        )
        line = struct.pack(">HH", 0, 65535)
        return head + line * inputs + values.astype(">u2").tobytes() + line * outputs

    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    to_rgb = ImageCms.buildTransform(
        ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB"
    )

    def seen(mode: str, values: np.ndarray, transform) -> np.ndarray:
        image = Image.frombytes(
            mode, (len(values), 1), values.astype(np.uint8).tobytes()
        )
        found = np.frombuffer(transform.apply(image).tobytes(), np.uint8)
        return found.reshape(-1, 3).astype(int)

    inks = np.stack(np.meshgrid(*[np.linspace(0, 1, 9)] * 4, indexing="ij"), -1)
    inks = inks.reshape(-1, 4)
    lab = seen("RGB", np.rint(255 * (1 - inks[:, :3]) * (1 - inks[:, 3:])), to_lab)
    lab[:, 1:] = (lab[:, 1:] + 128) % 256
    forth = table(4, 3, 9, lab * 256)
    grid = np.stack(np.meshgrid(*[np.linspace(0, 255, 17)] * 3, indexing="ij"), -1)
    grid = np.rint(grid.reshape(-1, 3)).astype(int)
    grid[:, 1:] = (grid[:, 1:] - 128) % 256
    rgb = seen("LAB", grid, to_rgb) / 255
    black = 1 - rgb.max(axis=-1, keepdims=True)
    rest = (1 - black - rgb) / np.maximum(1 - black, 1e-6)
    back = table(3, 4, 17, np.rint(65535 * np.hstack([rest, black])))
    words = b"desc\0\0\0\0\0\0\0\x05inks\0".ljust(12 + 5 + 80, b"\0")
    white = b"XYZ \0\0\0\0" + struct.pack(">3l", 63190, 65536, 54061)
    tags = {b"desc": words, b"wtpt": white, b"A2B0": forth, b"B2A0": back}
    tags |= {b"A2B1": forth, b"B2A1": back}
    index, body, at = b"", b"", 132 + 12 * len(tags)
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        index += struct.pack(">4sLL", name, at + len(body), len(content))
        body += content
    head = struct.pack(
        ">L4sL4s4s4s12s4s28xL3l48x", at + len(body), b"", 0x02400000, b"prtr", b"CMYK",
        b"Lab ", b"", b"acsp", 0, 63190, 65536, 54061,
    )  # fmt: skip
    return head[:128] + struct.pack(">L", len(tags)) + index + body


class CmykTest(absltest.TestCase):
    def test_cmyk_round_trips_through_its_profile(self):
        icc = _profile_of_inks()
        before = ImageCms.profileToProfile(
            _photograph(), _ICC_OBJECT, io.BytesIO(icc), outputMode="CMYK"
        )
        for format_ in ("TIFF", "JPEG"):
            quality = {"quality": 100} if format_ == "JPEG" else {}
            file = _file(before, format_, icc_profile=icc, **quality)
            read = _read(file)
            # What was printed is what the photograph looked like.
            difference = read.pixels.astype(int) - np.asarray(_photograph(), int)
            self.assertLess(np.abs(difference).mean(), 6)
            again = Image.open(io.BytesIO(pictures.encode(read, format_)))
            self.assertEqual((again.mode, again.info["icc_profile"]), ("CMYK", icc))
            difference = np.asarray(again, int) - np.asarray(before, int)
            self.assertLess(np.abs(difference).mean(), 6)
            shown = Image.open(io.BytesIO(pictures.encode(read, "PNG")))
            self.assertEqual(shown.mode, "RGB")
            self.assertNotIn("icc_profile", shown.info)


class DocumentedTest(parameterized.TestCase):
    """The table of what each format keeps, in docs/use/pictures.md."""

    @parameterized.parameters("JPEG", "PNG", "WebP", "TIFF", "AVIF", "BMP")
    def test_each_format_keeps_what_the_docs_say(self, name):
        format_ = name.upper()
        told = _table_of_docs()[name]
        exif = _exif()
        exif.get_ifd(0x8769)[0x927C] = b"made by the maker"
        exif.get_ifd(0x8825)[2] = (48.0, 8.0, 14.5)  # Latitude.
        details = {"exif": exif, "icc_profile": _ICC, "dpi": (99, 99)}
        xmp = _XMP.replace(b"6", b"1")
        again = _again(_file(_photograph(), "JPEG", xmp=xmp, **details), format_)
        found = again.getexif()
        kept = {*found.get_ifd(0x8769), *found.get_ifd(0x8825)}
        self._says(
            told["EXIF, with GPS and maker's notes"],
            found.get(0x010F) == "Maker" and {0x927C, 2} <= kept,
        )
        self._says(told["colour profile (ICC)"], again.info.get("icc_profile") == _ICC)
        self._says(
            told["XMP"], "xmp" in again.info or "XML:com.adobe.xmp" in again.info
        )
        dots = again.info.get("dpi", (0, 0))[0]
        self._says(told["resolution"], abs(dots - 99) < 0.1)
        clear = _photograph()
        clear.putalpha(99)
        clear = _file(clear, "PNG")
        self._says(told["transparency"], self._is_written(clear, format_))
        frames = {"save_all": True, "append_images": [_photograph().rotate(180)]}
        moving = _file(_photograph(), "PNG", **frames)
        self._says(told["animation"], self._is_written(moving, format_))
        deep = pictures.Picture(_deep(3), _read(clear).metadata)
        deep = pictures.read(pictures.encode(deep, format_))
        self._says(told["16 bits per channel"], deep.pixels.dtype == np.uint16)
        icc = _profile_of_inks()
        inks = _file(_photograph("CMYK"), "TIFF", icc_profile=icc)
        self._says(told["CMYK with a profile"], _again(inks, format_).mode == "CMYK")
        picture = _read(_file(_photograph(), "JPEG"))
        second = dataclasses.replace(
            picture.metadata, gain_map=_file(_photograph("L"), "JPEG").getvalue()
        )
        second = pictures.Picture(picture.pixels, second)
        with self.assertLogs("kdsharp") as logs:
            logging.getLogger("kdsharp").info("so that something is logged")
            encoded = pictures.encode(second, format_)
        said = told["gain map (HDR photos of phones)"]
        self._says(said, Image.open(io.BytesIO(encoded)).format == "MPO")
        self.assertEqual("reported" in said, "gain map" in logs.output[-1])

    def _says(self, cell: str, kept: bool):
        self.assertEqual(cell.startswith("kept"), kept, cell)

    def _is_written(self, file: io.BytesIO, format_: str) -> bool:
        try:
            content = pictures.encode(
                pictures.read(file.getvalue(), animated=True), format_
            )
        except UserError:
            return False
        again = pictures.read(content, animated=True)
        return again.pixels.shape[-1] == 4 or len(again.frames) == 1


def _table_of_docs() -> dict[str, dict[str, str]]:
    """For each format: what the documentation says of each detail."""
    lines = (Path(__file__).parents[2] / "docs/use/pictures.md").read_text()
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in lines.partition("\n| | JPEG |")[2].partition("\n\n")[0].splitlines()
    ]
    names = ["JPEG", *filter(None, rows[0])]
    return {
        name: {row[0]: row[1 + at] for row in rows[2:]} for at, name in enumerate(names)
    }


class DamageTest(parameterized.TestCase):
    def _refused(self, content: bytes, words: str):
        path = Path(self.create_tempfile("photo.jpg", content, mode="wb").full_path)
        with self.assertRaisesRegex(UserError, words) as caught:
            pictures.read(path)
        self.assertStartsWith(str(caught.exception), str(path))

    def test_unreadable_files_are_one_sentence(self):
        whole = _file(_photograph(), "JPEG").getvalue()
        self._refused(b"", "it is empty")
        self._refused(b"a letter", "not a picture in a known format")
        self._refused(whole[: len(whole) // 2], "it is damaged")
        self._refused(_file(_photograph("CMYK"), "JPEG").getvalue(), "for print")
        frames = {"save_all": True, "append_images": [_photograph("L")]}
        for format_ in ("GIF", "WEBP", "PNG"):
            animated = _file(_photograph(), format_, **frames)
            self._refused(animated.getvalue(), r"animated \(2 frames\)")
        self._refused(_file(_photograph(), "TIFF", **frames).getvalue(), "2 pages")
        with self.assertRaisesRegex(UserError, "there is no such file"):
            pictures.read(Path("nothing.jpg"))

    def test_what_decoders_lack_is_not_called_damage(self):
        bmp = bytearray(_file(_photograph(), "BMP").getvalue())
        bmp[14] = 66  # The length of the header.
        self._refused(bytes(bmp), r"this kind are not supported \(.* header type")
        png = _file(_photograph(), "PNG").getvalue()
        with mock.patch.object(
            PngImagePlugin.PngImageFile, "load", side_effect=TypeError("no buffer")
        ):
            self._refused(png, r"its decoder failed \(TypeError: no buffer\)")

    @parameterized.parameters("PNG", "JPEG", "WEBP", "TIFF", "AVIF")
    def test_damaged_exif_does_not_matter(self, format_):
        texts = PngImagePlugin.PngInfo()
        texts.add_text("Raw profile type exif", "\nexif\n4\n4949no hex")
        for file in (
            _file(_photograph(), "PNG", pnginfo=texts),
            _file(_photograph(), "WEBP", exif=b"Exif\0\0no directory"),
            _file(_photograph(), "JPEG", exif=b"Exif\0\0no directory"),
        ):
            again = np.asarray(_again(file, format_), int)
            self.assertLess(np.abs(again - np.asarray(_photograph())).mean(), 9)

    def test_decompression_bombs_are_refused(self):
        before = Image.MAX_IMAGE_PIXELS
        self.addCleanup(setattr, Image, "MAX_IMAGE_PIXELS", before)
        content = bytearray(_file(_photograph(), "PNG").getvalue())
        content[16:24] = struct.pack(">LL", 100_000, 100_000)
        content[29:33] = struct.pack(">L", zlib.crc32(bytes(content[12:29])))
        pictures.limit_size(250)
        self._refused(bytes(content), "more than 250 megapixels")

    def test_a_full_disk_leaves_no_file(self):
        folder = Path(self.create_tempdir().full_path)
        picture = _read(_file(_photograph(), "PNG"))
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        try:
            with self.assertRaisesRegex(UserError, r"out.png cannot be written: \w+"):
                pictures.write(picture, folder / "out.png")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        self.assertEmpty(list(folder.iterdir()))

    @parameterized.parameters(("WEBP", 16384), ("JPEG", 65536))
    def test_sides_that_a_format_cannot_store_are_one_sentence(self, format_, width):
        file = io.BytesIO()
        Image.new("RGB", (width, 1)).save(file, "PNG")
        picture = pictures.read(file.getvalue())
        with self.assertRaisesRegex(
            UserError, rf"^{format_} cannot store this picture of {width}x1 \(.+\)$"
        ):
            pictures.encode(picture, format_)

    def test_absurd_resolutions_are_dropped(self):
        file = _file(_photograph(), "JPEG2000").getvalue()
        at = file.index(b"jp2h") - 4
        length = int.from_bytes(file[at : at + 4], "big")
        # Pixels a metre: 1 / 1, times ten to the power of 127.
        box = struct.pack(
            ">L4sL4sHHHHBB", 26, b"res ", 18, b"resc", 1, 1, 1, 1, 127, 127
        )
        head = file[at + 4 : at + length] + box
        file = file[:at] + struct.pack(">L", 4 + len(head)) + head + file[at + length :]
        read = pictures.read(file)
        self.assertGreater(Image.open(io.BytesIO(file)).info["dpi"][0], 1e100)
        for format_ in (*_KEEPS_ALL, "BMP"):
            self.assertNotEmpty(pictures.encode(read, format_))

    def test_unsupported_formats_are_named(self):
        brands = struct.pack(">L4s4sL4s", 20, b"ftyp", b"heic", 0, b"mif1")
        with mock.patch.object(
            file_types.importlib.util, "find_spec", lambda name: None
        ):
            self._refused(brands + bytes(99), r"install 'kdsharp\[heif\]' reads it")
        self._refused(b"#?RADIANCE\n" + bytes(99), "Radiance HDR is not supported")
        dng = {50706: tags.Tag(tags.BYTE, bytes([1, 4, 0, 0]))}
        self._refused(tags.pack(dng, b"MM"), "a camera raw file")

    @unittest.skipIf(pillow_heif is None, "pillow-heif is not installed")
    def test_reads_heic_with_its_metadata(self):
        pillow_heif.register_heif_opener()
        file = _file(
            _photograph(),
            "HEIF",
            quality=100,
            chroma=444,
            exif=_exif(),
            xmp=_XMP,
            icc_profile=_ICC,
        )
        read = _read(file)
        # What is written turns as the XMP says, and says no more of it.
        upright = np.rot90(np.asarray(_photograph(), int), -1)
        self.assertEqual(read.pixels.shape, upright.shape)
        difference = read.pixels.astype(int) - upright
        self.assertLess(np.abs(difference).mean(), 2)
        again = Image.open(io.BytesIO(pictures.encode(read, "JPEG")))
        self.assertEqual(again.getexif()[0x010F], "Maker")
        self.assertEqual(again.info["icc_profile"], _ICC)
        self.assertIn(b'<x:xmpmeta xmlns:x="adobe:ns:meta/">', again.info["xmp"])

    @unittest.skipIf(pillow_heif is None, "pillow-heif is not installed")
    def test_reads_the_main_picture_of_a_heic(self):
        pillow_heif.register_heif_opener()
        second = _photograph().resize((20, 20))
        file = _file(
            _photograph(), "HEIF", save_all=True, append_images=[second], quality=100
        )
        with self.assertLogs("kdsharp", "WARNING") as logs:
            read = _read(file)
        self.assertIn("it holds 2 pictures: only the main one is kept", logs.output[0])
        self.assertEqual(read.pixels.shape, np.asarray(_photograph()).shape)

    def test_reads_the_first_picture_of_an_mpo(self):
        file = io.BytesIO()
        second = _photograph().resize((20, 20))
        _photograph().save(file, "MPO", save_all=True, append_images=[second])
        read = _read(file)
        self.assertEqual(read.metadata.format, "JPEG")
        self.assertEqual(read.pixels.shape, np.asarray(_photograph()).shape)


if __name__ == "__main__":
    absltest.main()
