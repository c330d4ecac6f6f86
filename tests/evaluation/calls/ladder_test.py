"""Clips, their encoding at several rates, and playback, with real encoders."""

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import skimage.color
import skimage.data
from absl.testing import absltest, parameterized
from PIL import Image

from kdsharp.data.clips import codecs
from kdsharp.data.decoding import BadPictureError
from kdsharp.evaluation.calls import clips, ladder
from kdsharp.evaluation.calls.clips import Window


class ClipsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.root = Path(self.create_tempdir().full_path)

    def _save(self, name: str, picture: np.ndarray) -> np.ndarray:
        Image.fromarray(picture).save(self.root / name)
        return picture

    def _find(self, **window) -> dict[str, clips.LadderClip]:
        found, self.left_out = clips.find(self.root, Window(**window))
        return {clip.motion: clip for clip in found}

    @parameterized.parameters(2, -2)
    def test_pan_by_whole_pixels(self, pan):
        picture = self._save("a.png", skimage.data.coffee()[:140, :190])
        found = self._find(size=(128, 96), frames=16, pan=pan)
        still, moving = (found[m].load() for m in (clips.STILL, clips.PAN))
        self.assertLen(still, 16)
        np.testing.assert_array_equal(still[0], picture[22:118, 31:159])
        self.assertIs(still[0], still[-1])
        for number, frame in enumerate(moving):
            at = 16 + 2 * number if pan > 0 else 46 - 2 * number
            np.testing.assert_array_equal(frame, picture[22:118, at : at + 128])

    def test_subpixel_pan_moves_a_ramp(self):
        slope = np.repeat(np.arange(120, dtype=np.uint8)[:, None], 3, 1)
        self._save("a.png", np.tile(slope, (110, 1, 1)))
        moving = self._find(size=(96, 96), frames=16, pan=0.5)[clips.PAN].load()
        brighter = moving[8].astype(int) - moving[0]
        self.assertEqual(set(brighter[:, 8:-8].ravel()), {4})

    def test_windows_fit_small_pictures_and_large_ones_are_downscaled(self):
        self._save("small.png", skimage.data.coffee()[:110, :137])
        found = self._find(size=(368, 448), frames=16, pan=2)
        self.assertEqual({clip.size for clip in found.values()}, {(128, 80)})
        self._save("small.png", skimage.data.coffee())  # 600x400
        (frame, *_) = self._find(size=(128, 96), frames=16, pan=0)[clips.STILL].load()
        reduced = Image.fromarray(skimage.data.coffee()).resize(
            (144, 96), Image.Resampling.LANCZOS
        )
        np.testing.assert_array_equal(frame, np.asarray(reduced)[:, 8:136])

    def test_unusable_files_are_left_out_with_a_reason(self):
        self._save("tiny.png", skimage.data.coffee()[:60, :60])
        (self.root / "no.jpg").write_bytes(b"no picture")
        (self.root / "no.mp4").write_bytes(b"no video")
        self.assertEmpty(self._find())
        self.assertSameElements(self.left_out, ["tiny.png", "no.jpg", "no.mp4"])
        self.assertIn("60x60", self.left_out["tiny.png"])

    def test_video_clip_has_the_first_frames(self):
        picture = skimage.data.coffee()[:96, :128]
        shades = [np.uint8(picture * (0.5 + number / 40)) for number in range(18)]
        with av.open(str(self.root / "film.mkv"), "w") as container:
            stream = container.add_stream("ffv1", rate=30)
            stream.width, stream.height, stream.pix_fmt = 128, 96, "bgr0"
            for number, shade in enumerate(shades):
                frame = av.VideoFrame.from_ndarray(shade, format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 30)
                container.mux(stream.encode(frame.reformat(format="bgr0")))
            container.mux(stream.encode())
        found = self._find(frames=16)[clips.FILM]
        np.testing.assert_array_equal(found.load(), shades[:16])
        with self.assertRaisesRegex(BadPictureError, "18 frames"):
            self._find(frames=20)[clips.FILM].load()

    def test_pages_scroll_by_whole_pixels(self):
        window = Window((128, 96), 16, 2)
        still, scrolled = clips.pages(1, window)
        frames = scrolled.load()
        np.testing.assert_array_equal(frames[1][:-2], frames[0][2:])
        self.assertEqual(still.load()[0].shape, (96, 128, 3))


class LadderTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        picture = skimage.data.coffee()[100:228, 200:392]
        self.frames = [np.ascontiguousarray(picture)] * 16
        self.window = Window((192, 128), 16, 0)
        self.clip = clips.LadderClip(
            "a.png", clips.STILL, (192, 128), "0", lambda: self.frames
        )

    def _cell(self, source: str, rate: int, codec: str = "h264") -> ladder.Cell:
        return ladder.Cell(self.clip, source, rate, codec, "bilinear", self.window)

    def test_bits_per_pixel_do_not_depend_on_size(self):
        cell = self._cell(ladder.SHARP, 172)
        share = (192 * 128) / (368 * 448)
        self.assertAlmostEqual(cell.bits, 172_000 * share, delta=1)
        self.assertEqual(self._cell(ladder.HALF, 172).bits, cell.bits)

    @parameterized.parameters(*codecs.CODECS)
    def test_half_size_streams_are_shown_at_full_size(self, codec):
        for source, size in ((ladder.SHARP, (192, 128)), (ladder.HALF, (96, 64))):
            cell = self._cell(source, 600, codec)
            stream = ladder.encode(cell, self.frames)
            with av.open(io.BytesIO(stream)) as container:
                context = container.streams.video[0].codec_context
                self.assertEqual((context.width, context.height), size)
            shown = ladder.play(cell, stream, self.frames)
            self.assertLen(shown, 16)
            self.assertEqual((shown[-1].width, shown[-1].height), (192, 128))
            true = ladder.true_luma(self.frames, self.clip.size)[-1].astype(float)
            error = np.mean(np.square(codecs.luma(shown[-1]) - true))
            self.assertBetween(error, 0.1, 200)

    @parameterized.parameters("bilinear", "bicubic", "lanczos")
    def test_upscaling_equals_pillow(self, player):
        cell = ladder.Cell(self.clip, ladder.HALF, 600, "h264", player, self.window)
        stream = ladder.encode(cell, self.frames)
        small = Image.fromarray(codecs.luma(codecs.decode(stream)[15]))
        self.assertEqual(small.size, (96, 64))
        errors = {}
        for name in ("bilinear", "bicubic", "lanczos"):
            large = small.resize(cell.clip.size, Image.Resampling[name.upper()])
            shown = codecs.luma(ladder.play(cell, stream, self.frames)[15])
            errors[name] = np.abs(shown - np.asarray(large, float)).mean()
        self.assertEqual(min(errors, key=errors.get), player)
        self.assertLess(errors[player], 0.6)

    def test_true_luma_is_bt601(self):
        found = ladder.true_luma(self.frames, self.clip.size)
        expected = skimage.color.rgb2ycbcr(self.frames[0])[..., 0]
        self.assertEqual(found.shape, (16, 128, 192))
        self.assertLess(np.abs(found[0] - expected).max(), 1.01)
        self.assertLess(np.abs(found[0] - expected).mean(), 0.35)

    def test_soft_lens_is_a_gaussian(self):
        point = np.zeros((41, 41, 3), np.uint8)
        point[20, 20] = 255
        (soft,) = ladder.camera_frames([point], ladder.SOFT)
        at = np.arange(-20, 21)
        profile = np.exp(-(at**2) / (2 * 1.5**2))
        expected = 255 * np.outer(profile, profile) / profile.sum() ** 2
        self.assertLess(np.abs(soft[..., 0] - expected).max(), 0.51)
        self.assertIs(ladder.camera_frames([point], ladder.SHARP)[0], point)

    def test_ladder_has_every_combination_once(self):
        asked = ladder.Ladder(codecs=("h264", "vp9"), rates=(86, 172))
        page = clips.LadderClip(
            "page", clips.STILL, (192, 128), "1", None, is_page=True
        )
        groups = asked.groups([self.clip, page])
        found = [(c.clip.name, c.source, c.rate, c.codec) for g in groups for c in g]
        self.assertLen(set(found), 3 * 2 * 2 + 2 * 2 + 1)
        self.assertLen(found, len(set(found)))
        self.assertIn(("page", ladder.TEXT, 0, ladder.UNCODED), found)
        names = {cell.name for group in groups for cell in group}
        self.assertLen(names, len(found))


if __name__ == "__main__":
    absltest.main()
