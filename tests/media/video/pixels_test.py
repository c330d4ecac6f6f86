"""The pixels of restored videos, read back from lossless files."""

import pathlib
import tempfile

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image
from scipy import ndimage

from kdsharp.media.video import restore_file, split_screen
from kdsharp.media.video.encoding import Encoding
from kdsharp.media.video.restoring import Restoration
from kdsharp.runtime import planes
from kdsharp.runtime.options import RestoreOptions
from tests.media.video import films
from tests.media.video.films import HEIGHT, WIDTH, Picture, view

# Of what was never blurred by two, `bicubic2` on RGB would make much of a rounding.
_LUMA, _RGB = "rt-s-bicubic2", "dncnn17-call"
_FFV1 = Encoding(codec="ffv1")


class PixelsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def restored(self, picture: Picture, **restoring):
        """The frames before and after."""
        source = films.write(self.folder / "in.mkv", picture)
        out = self.folder / "out.mkv"
        restore_file.restore(
            source, out, RestoreOptions(model=_LUMA, **restoring), _FFV1, overwrite=True
        )
        return films.read(source), films.read(out)

    @parameterized.parameters(
        ("yuv420p", 1, "studio", 8),
        ("yuv420p", 2, "full", 8),
        ("yuv422p", 1, "studio", 8),
        ("yuv444p", 0, "studio", 8),
        ("yuv420p10le", 1, "studio", 10),
        ("yuv422p10le", 1, "studio", 10),
        ("gray", 1, "studio", 8),
    )
    def test_luma_is_restored_and_chroma_unchanged(
        self, pixels, range_number, range_, depth
    ):
        picture = Picture(
            pixels=pixels,
            codec="ffv1",
            options=(),
            colour=(range_number, 1, 1, 1),
            durations=(3600,) * 3,
        )
        network = planes.create(_LUMA, WIDTH, HEIGHT, range=range_, depth=depth)
        before, after = self.restored(picture)
        self.assertLen(after, 3)
        for old, new in zip(before, after, strict=True):
            self.assertEqual(new.format.name, pixels)
            wanted = network(np.ascontiguousarray(view(old)))
            self.assertGreater(np.abs(wanted.astype(int) - view(old)).max(), 3)
            np.testing.assert_array_equal(view(new), wanted)
            for index in range(1, len(old.planes)):
                np.testing.assert_array_equal(view(new, index), view(old, index))

    def test_full_range_video_keeps_its_values(self):
        picture = Picture(
            pixels="yuvj420p", codec="mjpeg", options=(), colour=(2, 5, 1, 1)
        )
        before, after = self.restored(picture, strength=0)
        self.assertEqual(before[0].format.name, "yuvj420p")
        for old, new in zip(before, after, strict=True):
            self.assertEqual((new.format.name, new.color_range), ("yuv420p", 2))
            for index in range(3):
                np.testing.assert_array_equal(view(new, index), view(old, index))

    @parameterized.parameters(
        dict(model=_LUMA),
        dict(model=_LUMA, size=(48, 40), unsharp=0.5),
        dict(model=_LUMA, compare=True),
        dict(model=_RGB),
    )
    def test_frames_restored_at_the_same_time_are_as_one_by_one(self, **restoring):
        options = RestoreOptions(**restoring)
        picture = Picture(durations=(3600,) * 6, colour=(1, 1, 1, 1))
        alone = Restoration(options)
        wanted = [alone(frame) for frame in films.frames(picture)]
        together = Restoration(options, parallel=3)
        started = [together.start(frame) for frame in films.frames(picture)]
        for old, finish in zip(wanted, started, strict=True):
            new = finish()
            self.assertEqual(new.pts, old.pts)
            for index in range(3):
                np.testing.assert_array_equal(view(new, index), view(old, index))

    def test_frames_of_another_size_are_reported_once(self):
        restoration = Restoration(RestoreOptions(model=_LUMA, strength=0))
        usual = films.frames(Picture(durations=(3600,) * 4))
        large = films.frames(Picture(width=96, height=80, durations=(3600,) * 4))
        with self.assertLogs("kdsharp", "INFO") as logs:
            for pair in zip(usual, large, strict=True):
                for frame in map(restoration, pair):
                    self.assertEqual((frame.width, frame.height), (WIDTH, HEIGHT))
        self.assertEqual(
            [record.getMessage() for record in logs.records],
            [f"frames of 96x80 are resized to {WIDTH}x{HEIGHT}"],
        )

    @parameterized.parameters("yuv444p", "yuv444p10le")
    def test_rgb_networks_get_rgb(self, pixels):
        picture = Picture(pixels=pixels, colour=(1, 1, 1, 1), durations=(3600,))
        source = films.write(self.folder / "in.mkv", picture)
        out = self.folder / "out.mkv"
        restore_file.restore(source, out, RestoreOptions(model=_RGB), _FFV1)
        (old,), (new,) = films.read(source), films.read(out)
        ten = 4 if pixels.endswith("10le") else 1
        top = 1023 if ten > 1 else 255
        network = planes.create(
            _RGB, WIDTH, HEIGHT, range="full", depth=10 if ten > 1 else 8
        )
        rgb = np.clip(np.round(_rgb(old, ten) * top), 0, top)
        restored = network(rgb.astype(np.uint16 if ten > 1 else np.uint8))
        wanted = _bt709(restored / top) * ten
        found = np.stack([view(new, index) for index in range(3)], -1)
        # Two roundings to integers lie on either way.
        self.assertLess(np.abs(found - wanted).max(), 3.1)
        self.assertLess(np.abs(found - wanted).mean(), 0.6)

    def test_rgb_video_is_converted_with_its_matrix(self):
        picture = Picture(pixels="bgr0", codec="ffv1", options=(), durations=(3600,))
        before, after = self.restored(picture, strength=0)
        self.assertEqual(before[0].format.name, "bgr0")
        rgb = before[0].to_ndarray(format="rgb24") / 255
        wanted = _bt601(rgb)
        found = np.stack([view(after[0], index) for index in range(3)], -1)
        self.assertEqual(after[0].format.name, "yuv444p")
        self.assertLess(np.abs(found - wanted).max(), 1.1)

    def test_split_screen_shows_the_original_on_the_left(self):
        before, after = self.restored(Picture(durations=(3600,)), compare=True)
        network = planes.create(_LUMA, WIDTH, HEIGHT)
        place = split_screen.column(WIDTH)
        old, new = view(before[0]), view(after[0])
        self.assertEqual(place, WIDTH // 2)
        np.testing.assert_array_equal(new[:, : place - 1], old[:, : place - 1])
        np.testing.assert_array_equal(new[:, place - 1 : place + 1], 235)
        wanted = network(np.ascontiguousarray(old))
        np.testing.assert_array_equal(new[:, place + 1 :], wanted[:, place + 1 :])

    def test_at_its_own_size_nothing_is_resized(self):
        plain = self.restored(Picture(durations=(3600,)))[1]
        sized = self.restored(Picture(durations=(3600,)), size=(WIDTH, HEIGHT))
        np.testing.assert_array_equal(view(plain[0]), view(sized[1][0]))

    @parameterized.parameters("yuv420p", "yuv420p10le")
    def test_resizing_for_the_network_matches_pillow(self, pixels):
        half = WIDTH // 2, HEIGHT // 2
        depth = 10 if pixels.endswith("10le") else 8
        picture = Picture(pixels=pixels, durations=(3600,))
        before, after = self.restored(picture, size=half)
        network = planes.create(_LUMA, *half, depth=depth)
        small = Image.fromarray(view(before[0]).astype(np.float32))
        small = np.asarray(small.resize(half, Image.Resampling.BICUBIC))
        small = network(np.round(small).astype(network.element)).astype(np.float32)
        large = Image.fromarray(small).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        apart = np.abs(np.asarray(large) - view(after[0])) / (4 if depth == 10 else 1)
        self.assertLess(apart.mean(), 1.5)
        self.assertEqual(view(after[0]).shape, (HEIGHT, WIDTH))
        np.testing.assert_array_equal(view(after[0], 1), view(before[0], 1))

    @parameterized.parameters("yuv420p", "yuv420p10le")
    def test_unsharp_mask_matches_scipy(self, pixels):
        picture = Picture(pixels=pixels, durations=(3600,) * 2)
        before, after = self.restored(picture, strength=0, unsharp=0.5)
        self.assertEqual([f.pts for f in before], [f.pts for f in after])
        for old, new in zip(before, after, strict=True):
            luma = view(old).astype(float)
            top = 1023 if pixels.endswith("10le") else 255
            line = np.array([1, 4, 6, 4, 1]) / 16
            blurred = ndimage.correlate1d(luma, line, axis=0, mode="nearest")
            blurred = ndimage.correlate1d(blurred, line, axis=1, mode="nearest")
            wanted = np.clip(luma + 0.5 * (luma - blurred), 0, top)
            self.assertGreater(np.abs(luma - wanted).max(), 3)
            self.assertLess(np.abs(view(new) - wanted).max(), 0.51)
            np.testing.assert_array_equal(view(new, 1), view(old, 1))


def _rgb(frame, ten):
    """Converts studio-range BT.709 to RGB in [0, 1]."""
    y, u, v = (view(frame, index) / ten for index in range(3))
    y, u, v = (y - 16) / 219, (u - 128) / 224, (v - 128) / 224
    red, blue = y + 1.5748 * v, y + 1.8556 * u
    green = (y - 0.2126 * red - 0.0722 * blue) / 0.7152
    return np.stack([red, green, blue], -1)


def _bt709(rgb):
    return _studio(rgb, 0.2126, 0.0722)


def _bt601(rgb):
    return _studio(rgb, 0.299, 0.114)


def _studio(rgb, of_red, of_blue):
    """Converts to Y, U, V in 8-bit studio range."""
    red, green, blue = np.moveaxis(rgb, -1, 0)
    y = of_red * red + (1 - of_red - of_blue) * green + of_blue * blue
    u = (blue - y) / (2 * (1 - of_blue))
    v = (red - y) / (2 * (1 - of_red))
    return np.stack([16 + 219 * y, 128 + 224 * u, 128 + 224 * v], -1)


if __name__ == "__main__":
    absltest.main()
