"""Encoders: decoded frames show the picture, at about the requested rate."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from absl.testing import absltest, parameterized
from PIL import Image

from kdsharp.data.clips import codecs
from kdsharp.errors import UserError

_COUNT = 32
_SIZE = (160, 96)
_PICTURE = Image.fromarray(skimage.data.coffee())
# A window that moves right and down.
_BOXES = [(100 + 2 * n, 50 + n, 260 + 2 * n, 146 + n) for n in range(_COUNT)]
_TRUE = [np.asarray(_PICTURE.crop(box)) for box in _BOXES]

_ROOT = Path(__file__).parents[3]
_MANY = """
from kdsharp.data.clips import codecs
from tests.data.clips import codecs_test

for _ in range(60):
    codecs_test._encode("av1", codecs.Rate(bits=60_000))
"""


def _encode(codec: str, rate: codecs.Rate, **options) -> bytes:
    return codecs.encode(_TRUE, codec, rate, **{"size": _SIZE} | options)


def _psnr(frame, number: int) -> float:
    """PSNR of the luma of a frame, against Pillow."""
    true = np.asarray(Image.fromarray(_TRUE[number]).convert("L"), float)
    error = true * 219 / 255 + 16 - codecs.luma(frame)
    return 10 * np.log10(219**2 / np.mean(error**2))


class CodecsTest(parameterized.TestCase):
    @parameterized.product(codec=list(codecs.CODECS), effort=(0, 2))
    def test_constant_rate_gives_a_stream_of_about_that_size(self, codec, effort):
        bits = 150_000
        stream = _encode(codec, codecs.Rate(bits=bits), effort=effort)
        decoded = codecs.decode(stream)
        self.assertEqual(list(decoded), list(range(_COUNT)))
        # In such a short clip, the intra-coded first frame dominates the size.
        self.assertBetween(len(stream) / (bits / 8 * _COUNT / codecs.FPS), 0.5, 1.6)
        psnr = [_psnr(frame, number) for number, frame in decoded.items()]
        self.assertGreater(min(psnr), 30)
        self.assertGreater(np.mean(psnr), 38)

    @parameterized.parameters(*codecs.CODECS)
    def test_coarser_quantiser_gives_smaller_and_worse_streams(self, codec):
        sizes, psnr = [], []
        for quantizer in (0.15, 0.4, 0.65, 0.95):
            stream = _encode(codec, codecs.Rate(quantizer=quantizer))
            sizes.append(len(stream))
            decoded = codecs.decode(stream)
            psnr.append(np.mean([_psnr(decoded[n], n) for n in decoded]))
        self.assertEqual(sizes, sorted(sizes, reverse=True))
        self.assertEqual(psnr, sorted(psnr, reverse=True))
        self.assertGreater(psnr[0] - psnr[-1], 5)

    @parameterized.parameters(*codecs.CODECS)
    def test_streams_are_reproducible(self, codec):
        rate = codecs.Rate(bits=60_000)
        self.assertEqual(_encode(codec, rate), _encode(codec, rate))

    @pytest.mark.slow
    def test_av1_does_not_deadlock_on_busy_cores(self):
        command = [sys.executable, "-c", _MANY]
        environment = os.environ | {"PYTHONPATH": str(_ROOT)}
        running = [
            subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
            for _ in range(2 * os.cpu_count())
        ]
        try:
            self.assertEqual({process.wait(240) for process in running}, {0})
        finally:
            for process in running:
                process.kill()

    @parameterized.parameters("h264", "vp8", "vp9")
    def test_lost_packet_degrades_frames_but_keeps_their_numbers(self, codec):
        rate = codecs.Rate(bits=150_000)
        whole = codecs.decode(_encode(codec, rate))
        decoded = codecs.decode(_encode(codec, rate, lost=[10]))
        self.assertEqual(set(range(_COUNT)) - set(decoded), {10})
        for number in range(10):
            np.testing.assert_array_equal(
                codecs.luma(decoded[number]), codecs.luma(whole[number])
            )
        # Later frames are concealed: degraded, but with the right content.
        self.assertLess(_psnr(decoded[11], 11), _psnr(whole[11], 11) - 3)
        here = np.mean([_psnr(decoded[n], n) for n in range(20, 30)])
        beside = np.mean([_psnr(decoded[n], n + 2) for n in range(20, 30)])
        self.assertGreater(here, beside + 1)

    @parameterized.parameters("av1", "hevc")
    def test_frames_that_cannot_be_concealed_are_missing(self, codec):
        rate = codecs.Rate(bits=150_000)
        whole = codecs.decode(_encode(codec, rate))
        decoded = codecs.decode(_encode(codec, rate, lost=[10]))
        self.assertContainsSubset(range(10), decoded)
        self.assertNotIn(10, decoded)
        for number, frame in decoded.items():
            # Frames that are present have the right content, hardly degraded.
            self.assertGreater(_psnr(frame, number), _psnr(whole[number], number) - 2)

    def test_resize_is_close_to_pillow(self):
        stream = _encode("h264", codecs.Rate(quantizer=0), size=(80, 48))
        frame = codecs.decode(stream)[0]
        self.assertEqual((frame.width, frame.height), (80, 48))
        shown = codecs.resize(frame, _SIZE, "BICUBIC")
        self.assertEqual(codecs.luma(shown).shape, (96, 160))
        # Only close, since Pillow's bicubic filter differs.
        small = Image.fromarray(_TRUE[0]).resize((80, 48), Image.Resampling.BICUBIC)
        large = np.asarray(small.resize(_SIZE, Image.Resampling.BICUBIC), float)
        self.assertLess(np.abs(codecs.rgb(shown) - large).mean(), 4)

    def test_colours_survive_encoding(self):
        decoded = codecs.decode(_encode("h264", codecs.Rate(quantizer=0)))
        difference = codecs.rgb(decoded[0]).astype(float) - _TRUE[0]
        self.assertLess(np.abs(difference.mean((0, 1))).max(), 0.6)

    def test_rgb_keeps_the_luma(self):
        # A bias of one level would teach networks to brighten every frame.
        stream = _encode("h264", codecs.Rate(quantizer=0.4))
        for frame in codecs.decode(stream).values():
            luma = codecs.rgb(frame) @ np.array([0.299, 0.587, 0.114])
            error = luma - (codecs.luma(frame).astype(float) - 16) * 255 / 219
            self.assertLess(abs(error.mean()), 0.1)
            self.assertLess(error.std(), 0.5)

    def test_unknown_codec_lists_the_known_ones(self):
        with self.assertRaisesRegex(UserError, "unknown codec 'mpeg2'; .*h264, vp8"):
            _encode("mpeg2", codecs.Rate(bits=100_000))

    def test_encoder_that_rejects_its_settings_is_reported(self):
        with self.assertRaisesRegex(codecs.RefusedError, "av1: libsvtav1: "):
            _encode("av1", codecs.Rate(bits=100_000), size=(62, 62))
        absent = codecs.Codec("libnothing", lambda rate, effort: {})
        with (
            absltest.mock.patch.dict(codecs.CODECS, h264=absent),
            self.assertRaisesRegex(codecs.RefusedError, "h264: .*libnothing"),
        ):
            _encode("h264", codecs.Rate(bits=100_000))


if __name__ == "__main__":
    absltest.main()
