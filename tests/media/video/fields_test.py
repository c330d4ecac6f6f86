"""Interlaced video, created with FFmpeg's filters and encoders."""

import pathlib
import tempfile

import av
import numpy as np
from absl.testing import absltest, parameterized

from kdsharp.errors import UserError
from kdsharp.media.video import restore_file
from kdsharp.media.video.encoding import Encoding
from kdsharp.runtime import planes
from kdsharp.runtime.options import RestoreOptions
from tests.media.video import films
from tests.media.video.films import HEIGHT, WIDTH, Picture, view

_LUMA = "rt-s-bicubic2"
_FLAGS = 1 << 18 | 1 << 29


def _marked(frames, first):
    """Marks frames as interlaced; `first` is the earlier field."""
    graph = av.filter.Graph()
    begin = graph.add_buffer(
        width=frames[0].width,
        height=frames[0].height,
        format=frames[0].format.name,
        time_base=frames[0].time_base,
    )
    mark, end = graph.add("setfield", first), graph.add("buffersink")
    begin.link_to(mark)
    mark.link_to(end)
    graph.configure()
    marked = []
    for frame in frames:
        graph.push(frame)
        marked.append(graph.pull())
    return marked


class FieldsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.out = self.folder / "out.mkv"

    def write(self, first="tff", *, codec="ffv1", pixels="yuv420p", change=None):
        source = self.folder / "in.mkv"
        picture = Picture(pixels=pixels, durations=(3600,) * 4)
        frames = films.frames(picture)
        for index, frame in enumerate(frames):
            if change:
                change(index, frame)
        with av.open(str(source), "w") as out:
            stream = out.add_stream(
                codec, rate=films.RATE, width=WIDTH, height=HEIGHT, time_base=films.BASE
            )
            context = stream.codec_context
            context.pix_fmt, context.flags = pixels, context.flags | _FLAGS
            context.field_order = 2 if first == "tff" else 3
            if codec == "libx264":
                context.options = {"qp": "0"}
            for frame in _marked(frames, first):
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
        return source

    @parameterized.parameters("yuv420p", "yuv422p10le")
    def test_fields_are_restored_separately(self, pixels):
        source = self.write(pixels=pixels)
        restore_file.restore(
            source, self.out, RestoreOptions(model=_LUMA), Encoding(codec="ffv1")
        )
        depth = 10 if pixels.endswith("10le") else 8
        before, after = films.read(source), films.read(self.out)
        self.assertLen(after, 4)
        for old, new in zip(before, after, strict=True):
            self.assertTrue(old.interlaced_frame)
            self.assertTrue(new.interlaced_frame)
            for first in (0, 1):
                network = planes.create(_LUMA, WIDTH, HEIGHT // 2, depth=depth)
                wanted = network(np.ascontiguousarray(view(old)[first::2]))
                np.testing.assert_array_equal(view(new)[first::2], wanted)
            for index in (1, 2):
                np.testing.assert_array_equal(view(new, index), view(old, index))

    @parameterized.parameters(("tff", 2), ("bff", 3))
    def test_field_order_is_kept(self, first, order):
        source = self.write(first, codec="libx264")
        restore_file.restore(source, self.out, RestoreOptions(strength=0))
        for path in (source, self.out):
            with av.open(str(path)) as container:
                frame = next(container.decode(video=0))
                context = container.streams.video[0].codec_context
                self.assertTrue(frame.interlaced_frame)
                self.assertIn(context.field_order, (order, order + 2))

    def test_converted_formats_stay_interlaced(self):
        source = self.write(pixels="yuv420p12le")
        restore_file.restore(
            source, self.out, RestoreOptions(strength=0), Encoding(codec="ffv1")
        )
        before, after = films.read(source), films.read(self.out)
        for old, new in zip(before, after, strict=True):
            self.assertTrue(new.interlaced_frame)
            self.assertEqual(new.format.name, "yuv420p10le")
            apart = view(old).astype(int) / 4 - view(new)
            self.assertLess(np.abs(apart).max(), 1.01)

    def test_deinterlace_makes_progressive_frames(self):
        def two_moments(index, frame):
            # The upper field is the earlier, and nothing stands still.
            view(frame)[0::2], view(frame)[1::2] = 40 + 40 * index, 60 + 40 * index

        source = self.write(change=two_moments)
        restore_file.restore(
            source,
            self.out,
            RestoreOptions(strength=0),
            Encoding(codec="ffv1"),
            deinterlace=True,
        )
        before, after = films.read(source), films.read(self.out)
        self.assertEqual(
            [f.pts * f.time_base for f in before], [f.pts * f.time_base for f in after]
        )
        for index, frame in enumerate(after):
            self.assertFalse(frame.interlaced_frame)
            np.testing.assert_allclose(view(frame), 40 + 40 * index, atol=1)

    def test_encoders_without_interlacing_are_refused(self):
        source = self.write()
        with self.assertRaisesRegex(
            UserError, "libvpx-vp9 does not .*: use --deinterlace"
        ):
            restore_file.restore(
                source,
                self.folder / "out.webm",
                RestoreOptions(),
                Encoding(codec="vp9"),
            )
        self.assertEqual(list(self.folder.iterdir()), [source])


if __name__ == "__main__":
    absltest.main()
