"""Other streams and metadata of restored videos, read back with PyAV."""

import pathlib
import tempfile
from fractions import Fraction

import av
import numpy as np
from absl.testing import absltest, parameterized
from av.sidedata.sidedata import Type
from av.stream import Disposition

from kdsharp.media.video import restore_file
from kdsharp.media.video.encoding import Encoding
from kdsharp.runtime.options import RestoreOptions
from tests.media.video import films
from tests.media.video.films import UNEVEN, Picture

# Copied streams do not depend on how the pixels are restored.
_AS_IT_IS = RestoreOptions(strength=0)
_LINES = [(40, 160, "Hello"), (200, 400, "again")]


def _chapters(out, stream):
    del stream
    out.set_chapters(
        [
            _chapter(1, 0, 200, "First"),
            _chapter(2, 200, 480, "Second"),
        ]
    )


def _chapter(number, start, end, title):
    return {
        "id": number,
        "start": start,
        "end": end,
        "time_base": Fraction(1, 1000),
        "metadata": {"title": title},
    }


def _tags(out, stream):
    out.metadata.update({"title": "A title", "artist": "Somebody"})
    stream.codec_context.sample_aspect_ratio = Fraction(4, 3)


def _told(path):
    """The chapters in seconds, with their titles."""
    with av.open(str(path)) as container:
        return [
            (
                float(chapter["start"] * chapter["time_base"]),
                float(chapter["end"] * chapter["time_base"]),
                chapter["metadata"]["title"],
            )
            for chapter in container.chapters()
        ]


def _words(path):
    """The times of subtitles, and their text."""
    found = []
    with av.open(str(path)) as container:
        stream = container.streams.subtitles[0]
        for packet in container.demux(stream):
            if packet.size and (lines := stream.decode2(packet)):
                text = lines.rects[0].ass.decode().rsplit(",,", 1)[1]
                begin = packet.pts * packet.time_base
                end = begin + packet.duration * packet.time_base
                found.append((round(begin * 1000), round(end * 1000), text))
    return found


class RemuxTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def carried(self, source, ending, *, codec=None, **times):
        out = self.folder / f"out{ending}"
        restore_file.restore(source, out, _AS_IT_IS, Encoding(codec=codec), **times)
        return out

    @parameterized.parameters(".mp4", ".mov", ".mkv")
    def test_variable_frame_rates_are_kept(self, ending):
        picture = Picture(durations=UNEVEN)
        source = films.write(self.folder / "in.mp4", picture)
        found = films.read(self.carried(source, ending))
        # Matroska counts milliseconds.
        unit = Fraction(1, 1000) if ending == ".mkv" else films.BASE
        wanted = [round(time * films.BASE / unit) for time in picture.times]
        self.assertEqual([round(f.pts * f.time_base / unit) for f in found], wanted)
        last = found[-1]
        self.assertAlmostEqual(float(last.duration * last.time_base), 0.04, 2)

    @parameterized.parameters(
        (".mp4", ".mp4"), (".mp4", ".mkv"), (".mkv", ".mov"), (".mkv", ".ts")
    )
    def test_audio_is_copied_unchanged(self, given, ending):
        source = films.write(
            self.folder / f"in{given}", Picture(), films.sound(), films.sound(0.4)
        )
        out = self.carried(source, ending)
        for which in (0, 1):
            before = films.packets(source, "audio", which)
            after = films.packets(out, "audio", which)
            # A transport stream puts a header before what it carries.
            header = 7 if ending == ".ts" else 0
            self.assertEqual([b for _, b in before], [a[header:] for _, a in after])
            ahead = [a - b for (a, _), (b, _) in zip(after, before, strict=True)]
            self.assertLess(max(ahead) - min(ahead), 0.0021)
        with av.open(str(out)) as container:
            if ending != ".mov":  # QuickTime's own codes lack this one.
                self.assertEqual(container.streams.audio[0].language, "deu")

    def test_metadata_that_is_not_utf8_is_no_error(self):
        source = films.write(self.folder / "in.mkv", Picture(), _tags)
        # In Latin-1.
        source.write_bytes(source.read_bytes().replace(b"Somebody", b"Someb\xf6dy"))
        with av.open(str(self.carried(source, ".mkv"))) as container:
            self.assertEqual(container.metadata["title"], "A title")

    def test_unsupported_audio_is_reencoded(self):
        source = films.write(self.folder / "in.mp4", Picture(), films.sound())
        out = self.carried(source, ".webm")
        with av.open(str(out)) as container:
            self.assertEqual(container.streams.audio[0].codec_context.name, "opus")
            waves = [
                frame.to_ndarray()
                for frame in container.decode(container.streams.audio[0])
            ]
        heard = np.concatenate(waves, axis=1)[0][4800:19200]
        # A sine of 48000 / (17 * 2 pi) oscillations a second.
        loudest = np.argmax(np.abs(np.fft.rfft(heard)))
        self.assertAlmostEqual(
            loudest * 48000 / len(heard), 48000 / (17 * 2 * np.pi), delta=5
        )

    @parameterized.parameters(
        (".mp4", "mov_text", ".mp4", "mov_text"),
        (".mp4", "mov_text", ".mkv", "subrip"),
        (".mkv", "subrip", ".mp4", "mov_text"),
        (".mkv", "ass", ".mkv", "ass"),
        (".mkv", "subrip", ".webm", "webvtt"),
    )
    def test_subtitles_are_kept(self, given, codec, ending, wanted):
        source = films.write(
            self.folder / f"in{given}", Picture(), films.subtitles(codec, _LINES)
        )
        self.assertEqual(_words(source), _LINES)
        out = self.carried(source, ending)
        with av.open(str(out)) as container:
            (stream,) = container.streams.subtitles
            self.assertEqual(stream.codec_context.codec.canonical_name, wanted)
            self.assertEqual(stream.language, "eng")
        self.assertEqual(_words(out), _LINES)

    @parameterized.parameters(".mp4", ".mkv", ".mov")
    def test_chapters_tags_colours_and_aspect_ratio_are_kept(self, ending):
        colour = (1, 9, 9, 18)
        source = films.write(
            self.folder / "in.mkv", Picture(colour=colour), _chapters, _tags
        )
        out = self.carried(source, ending)
        self.assertEqual(
            _told(out), [(0.0, 0.2, "First"), (0.2, 0.48, "Second")], _told(source)
        )
        with av.open(str(out)) as container:
            self.assertEqual(container.metadata["title"], "A title")
            self.assertEqual(
                container.streams.video[0].sample_aspect_ratio, Fraction(4, 3)
            )
        frame = films.read(out)[0]
        self.assertEqual(
            (
                frame.color_range,
                frame.colorspace,
                frame.color_primaries,
                frame.color_trc,
            ),
            colour,
        )

    @parameterized.product(
        ending=(".mp4", ".mov", ".mkv"), turn=((90, False), (180, True))
    )
    def test_display_matrix_is_kept(self, ending, turn):
        degrees, mirrored = turn

        def turned(out, stream):
            del out
            stream.set_display_rotation(degrees, hflip=mirrored)

        source = films.write(self.folder / "in.mp4", Picture(), turned)
        before = films.read(source)[0].side_data[Type.DISPLAYMATRIX]
        out = self.carried(source, ending)
        after = films.read(out)[0].side_data[Type.DISPLAYMATRIX]
        self.assertEqual(bytes(before), bytes(after))

    @parameterized.parameters(
        ("yuv420p", None, "h264"),
        ("yuv422p", None, "h264"),
        ("yuv444p", None, "h264"),
        ("yuv420p10le", None, "h264"),
        ("yuv422p10le", "hevc", "hevc"),
        ("yuv420p10le", "av1", "libdav1d"),
        ("yuv422p10le", "prores", "prores"),
    )
    def test_bit_depth_and_subsampling_are_kept(self, pixels, codec, wanted):
        source = films.write(self.folder / "in.mkv", Picture(pixels=pixels))
        out = self.carried(source, ".mkv", codec=codec)
        with av.open(str(out)) as container:
            stream = container.streams.video[0]
            self.assertEqual(stream.codec_context.name, wanted)
            self.assertEqual(stream.codec_context.pix_fmt, pixels)
        self.assertLen(films.read(out), 12)

    def test_fonts_and_covers_are_kept(self):
        def attach(out, stream):
            del stream
            out.add_attachment("font.ttf", "font/ttf", b"not really a font")

        source = films.write(self.folder / "in.mkv", Picture(), attach)
        with av.open(str(self.carried(source, ".mkv"))) as container:
            (attached,) = container.streams.attachments
            self.assertEqual(attached.data, b"not really a font")
            self.assertEqual(attached.mimetype, "font/ttf")
            self.assertEqual(attached.name, "font.ttf")

    def test_default_streams_stay_default(self):
        def mark(out, _):
            out.streams.audio[1].disposition = Disposition.default
            out.streams.audio[0].disposition = Disposition(0)

        source = films.write(
            self.folder / "in.mkv", Picture(), films.sound(), films.sound(), mark
        )
        with av.open(str(self.carried(source, ".mkv"))) as container:
            marks = [
                bool(stream.disposition & Disposition.default)
                for stream in container.streams.audio
            ]
        self.assertEqual(marks, [False, True])

    @parameterized.parameters(".mp4", ".mkv")
    def test_start_and_duration(self, ending):
        picture = Picture(options=(("qp", "0"), ("g", "4")), durations=(3600,) * 24)
        source = films.write(
            self.folder / "in.mp4",
            picture,
            films.sound(1),
            films.subtitles("mov_text", [(100, 400, "early"), (500, 600, "late")]),
            _chapters,
        )
        out = self.carried(
            source,
            ending,
            codec="ffv1" if ending == ".mkv" else None,
            start=Fraction("0.24"),
            duration=Fraction("0.4"),
        )
        frames = films.read(out)
        times = [round(float(f.pts * f.time_base) * 1000) for f in frames]
        self.assertEqual(times, list(range(0, 400, 40)))
        if ending == ".mkv":
            np.testing.assert_array_equal(
                films.view(frames[0]), films.view(films.read(source)[6])
            )
        heard = [float(time) for time, _ in films.packets(out, "audio")]
        self.assertBetween(heard[0], 0, 0.022)
        self.assertBetween(heard[-1], 0.35, 0.4)
        self.assertEqual(_words(out), [(0, 160, "early"), (260, 360, "late")])
        self.assertEqual(_told(out), [(0.0, 0.24, "Second")])

    def test_timestamps_start_at_zero(self):
        source = films.write(self.folder / "in.ts", Picture(begin=5 * 90000))
        first = films.read(source)[0]
        self.assertGreater(first.pts * first.time_base, 1)
        out = films.read(self.carried(source, ".mp4"))
        self.assertEqual(
            [f.pts * f.time_base for f in out], [Fraction(n, 25) for n in range(12)]
        )


if __name__ == "__main__":
    absltest.main()
