"""Codecs and metadata of restored videos, read back with PyAV."""

import os
import pathlib
import struct
import tempfile
from fractions import Fraction
from unittest import mock

import av
import numpy as np
from absl.testing import absltest, parameterized
from av.sidedata.sidedata import Type
from av.stream import Disposition

from kdsharp.media.video import restore_file
from kdsharp.media.video.encoding import Encoding
from kdsharp.media.video.writing import VideoWriter
from kdsharp.runtime.options import RestoreOptions
from tests.media.video import films
from tests.media.video.films import Picture

_AS_IT_IS = RestoreOptions(strength=0)
_FAST = (("preset", "ultrafast"),)
_QUIET = "log-level=error"
# Units are 1/50000 and 1/10000, as in the standard.
_DISPLAY = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,500)"
_PRIMARIES = (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329)
_LUMINANCE = (0.05, 1000)
_GRADED = Picture(
    pixels="yuv420p10le",
    codec="libx265",
    options=(
        *_FAST,
        ("x265-params", f"{_QUIET}:master-display={_DISPLAY}:max-cll=900,300"),
    ),
    width=128,
    height=96,
    durations=(3600,) * 3,
    colour=(1, 9, 9, 16),
)
_HEVC = Picture(
    pixels="yuv420p10le", codec="libx265", options=(*_FAST, ("x265-params", _QUIET))
)


class CodecsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def restored(self, source, ending, codec=None, options=_AS_IT_IS):
        """Restores a file; returns the output and the messages."""
        out = self.folder / f"out{ending}"
        with self.assertLogs("kdsharp", "INFO") as logs:
            # So that there is something.
            restore_file.logger.info("nothing")
            restore_file.restore(source, out, options, Encoding(codec=codec))
        return out, "\n".join(record.getMessage() for record in logs.records[1:])

    def encoded(self, path):
        with av.open(str(path)) as container:
            context = container.streams.video[0].codec_context
            frame = next(container.decode(video=0))
            return context.codec.canonical_name, frame.format.name

    @parameterized.parameters(
        (_HEVC, ".mkv", ".mp4", "hevc"),
        (_HEVC, ".mp4", ".ts", "hevc"),
        (Picture("yuv422p10le", "prores_ks", ()), ".mov", ".mov", "prores"),
        (Picture("yuva420p10le", "ffv1", ()), ".mkv", ".mkv", "ffv1"),
        (Picture("yuv420p", "libvpx-vp9", ()), ".webm", ".mkv", "vp9"),
        (Picture("yuv444p", "ffv1", ()), ".mkv", ".mkv", "ffv1"),
    )
    def test_codec_is_kept(self, picture, given, ending, codec):
        source = films.write(self.folder / f"in{given}", picture)
        out, said = self.restored(source, ending)
        self.assertEqual(self.encoded(out), (codec, picture.pixels))
        self.assertEmpty(said)

    def test_av1_is_kept_and_leaves_priorities_unchanged(self):
        picture = Picture("yuv420p10le", width=128, height=96, durations=(3600,) * 2)
        source = films.write(self.folder / "in.mp4", picture)
        usual = {os.sched_getscheduler(0)}
        policies, finish = set(), VideoWriter.finish

        def look(writer):
            for path in pathlib.Path("/proc/self/task").iterdir():
                policies.add(os.sched_getscheduler(int(path.name)))
            finish(writer)

        with mock.patch.object(VideoWriter, "finish", look):
            first, _ = self.restored(source, ".mkv", "av1")
        self.assertEqual(policies, usual)
        self.assertEqual(os.sched_getscheduler(0), usual.pop())
        again, said = self.restored(first, ".mp4")
        self.assertEqual(self.encoded(again), ("av1", "yuv420p10le"))
        self.assertEmpty(said)

    @parameterized.parameters(
        (Picture("yuv420p", "mpeg2video", ()), ".ts", ".mp4", "h264", "as h264"),
        # A film of ProRes fits into no WebM, its ten bits fit into AV1.
        (
            Picture("yuv422p10le", "prores_ks", (), 128, 96),
            ".mov",
            ".webm",
            "av1",
            "pixel format yuv422p10le is converted to yuv420p10le for libsvtav1",
        ),
    )
    def test_changes_are_reported(self, picture, given, ending, codec, words):
        source = films.write(self.folder / f"in{given}", picture)
        out, said = self.restored(source, ending)
        self.assertEqual(self.encoded(out)[0], codec)
        self.assertIn(words, said)

    @parameterized.parameters("rt-s-bicubic2", "dncnn17-call")
    def test_transparency_is_kept(self, model):
        # FFmpeg reads 12 bits of ProRes 4444, whoever wrote how many.
        picture = Picture("yuva444p10le", "prores_ks", (), durations=(3600,) * 2)
        source = films.write(self.folder / "in.mov", picture)
        out, _ = self.restored(source, ".mov", options=RestoreOptions(model=model))
        for old, new in zip(films.read(source), films.read(out), strict=True):
            self.assertEqual(old.format.name, "yuva444p12le")
            self.assertEqual(new.format.name, "yuva444p12le")
            apart = films.view(old, 3).astype(int) - films.view(new, 3)
            # A step of 10 bits is four of 12, and 16 are coded.
            self.assertLess(np.abs(apart).max(), 5)
            self.assertGreater(films.view(old, 3).std(), 100)

    def test_dropped_transparency_is_reported(self):
        picture = Picture("yuva444p10le", "prores_ks", ())
        source = films.write(self.folder / "in.mov", picture)
        _, said = self.restored(source, ".mp4", "h264")
        self.assertIn("transparency is dropped: libx264 does not support it", said)

    def test_dropped_vp9_transparency_is_reported(self):
        picture = Picture("yuva420p", "libvpx-vp9", ())
        source = films.write(
            self.folder / "in.webm",
            picture,
            lambda _, stream: stream.metadata.update({"alpha_mode": "1"}),
        )
        _, said = self.restored(source, ".webm")
        self.assertIn("its transparency is not supported and is dropped", said)

    @parameterized.parameters(".mp4", ".mov")
    def test_hevc_has_apples_tag(self, ending):
        source = films.write(self.folder / "in.mkv", _HEVC)
        out, _ = self.restored(source, ending)
        with av.open(str(out)) as container:
            tag = container.streams.video[0].codec_context.codec_tag
        self.assertEqual(tag, "hvc1")

    @parameterized.parameters((None, "hevc"), ("av1", "av1"), ("h264", "h264"))
    def test_mastering_display_is_kept(self, asked, codec):
        source = films.write(self.folder / "in.mkv", _GRADED)
        out, said = self.restored(source, ".mkv", asked)
        self.assertEmpty(said)
        self.assertEqual(self.encoded(out), (codec, "yuv420p10le"))
        frame = films.read(out)[0]
        self.assertEqual(frame.color_trc, 16)
        display = bytes(frame.side_data[Type.MASTERING_DISPLAY_METADATA])
        numbers = struct.unpack_from("20i", display)
        values = [a / b for a, b in zip(numbers[::2], numbers[1::2], strict=True)]
        for value, wanted in zip(values, (*_PRIMARIES, *_LUMINANCE), strict=True):
            self.assertAlmostEqual(value, wanted, delta=1e-4 * max(wanted, 1))
        levels = bytes(frame.side_data[Type.CONTENT_LIGHT_LEVEL])
        self.assertEqual(struct.unpack_from("2I", levels), (900, 300))

    def test_dropped_mastering_display_is_reported(self):
        source = films.write(self.folder / "in.mkv", _GRADED)
        _, said = self.restored(source, ".mkv", "ffv1")
        self.assertIn("metadata is dropped: ffv1 does not support it", said)

    @parameterized.parameters("ffv1", "libx264")  # H.264 reorders frames.
    def test_of_two_videos_one_is_restored_and_one_copied(self, codec):
        def second(out, first):
            first.disposition = Disposition.default
            stream = out.add_stream(codec, rate=25, width=32, height=32)
            stream.pix_fmt = "yuv420p"

            def encode():
                for frame in films.frames(Picture(width=32, height=32)):
                    frame.time_base = Fraction(1, 25)
                    frame.pts //= 3600
                    out.mux(stream.encode(frame))
                out.mux(stream.encode(None))

            return encode

        source = films.write(self.folder / "in.mkv", Picture(), second)
        out, said = self.restored(source, ".mkv")
        self.assertIn("contains 2 videos: stream 0 is restored", said)
        self.assertEqual(
            films.packets(source, "video", 1), films.packets(out, "video", 1)
        )

    @parameterized.parameters(".mov", ".mp4", ".mkv")
    def test_quicktime_metadata_is_kept(self, ending):
        told = {
            "com.apple.quicktime.make": "Maker",
            "com.apple.quicktime.model": "Phone 3",
            "com.apple.quicktime.location.ISO6709": "+52.5200+013.4050+034.000/",
            "com.apple.quicktime.creationdate": "2024-05-01T12:00:00+0200",
            "title": "A title",
        }

        def tell(out, _):
            out.container_options["movflags"] = "+use_metadata_tags"
            out.metadata.update(told)

        source = films.write(self.folder / "in.mov", Picture(), tell)
        out, _ = self.restored(source, ending)
        with av.open(str(source)) as container:
            self.assertLessEqual(told.items(), dict(container.metadata).items())
        with av.open(str(out)) as container:
            found = {k.lower(): v for k, v in container.metadata.items()}
        self.assertLessEqual(
            {k.lower(): v for k, v in told.items()}.items(), found.items()
        )


if __name__ == "__main__":
    absltest.main()
