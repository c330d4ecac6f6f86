"""Interlaced video: a frame holds two moments, every other line of each.

A network that saw both at once would take the combs between them for picture: it is
given one field at a time, a picture of half the height. Or they are made one moment,
by FFmpeg's bwdif.
"""

import dataclasses
from collections.abc import Iterable, Iterator

import av

from kdsharp.media.video import frames
from kdsharp.media.video.restoring import Restoration
from kdsharp.runtime.options import RestoreOptions


class FieldwiseRestoration:
    """A `Restoration` that restores interlaced frames field by field."""

    def __init__(self, options: RestoreOptions):
        self._whole = Restoration(options)
        size = options.size and (options.size[0], max(options.size[1] // 2, 1))
        self._options = dataclasses.replace(options, size=size)
        self._halves: list[Restoration] = []

    @property
    def name(self) -> str:
        """The network's name."""
        return self._whole.name

    def prepare(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Returns the frame in the format that is worked in, and compiles for it."""
        if not _has_two(frame):
            return self._whole.prepare(frame)
        prepared = [
            restoration.prepare(field)
            for restoration, field in zip(self._fields(), _split(frame), strict=True)
        ]
        return _woven(prepared, frame)

    def start_sequence(self) -> None:
        """Takes the next frame for the first of another video."""
        for restoration in (self._whole, *self._halves):
            restoration.start_sequence()

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        if not _has_two(frame):
            return self._whole(frame)
        restored = [
            restoration(field)
            for restoration, field in zip(self._fields(), _split(frame), strict=True)
        ]
        return _woven(restored, frame)

    def _fields(self) -> list[Restoration]:
        # One for each: what they remember of earlier frames is of the same lines.
        if not self._halves:
            self._halves = [Restoration(self._options) for _ in range(2)]
        return self._halves


def deinterlaced(
    items: Iterable[av.VideoFrame | av.Packet],
) -> Iterator[av.VideoFrame | av.Packet]:
    """Yields the items; of interlaced frames, each is of the moment of its first field.

    Frames that are of one moment already stay as they are.
    """
    graph = None
    for item in items:
        if not isinstance(item, av.VideoFrame):
            yield item
            continue
        if graph is None:
            graph = _graph(item)
        graph.push(item)
        yield from _pulled(graph)
    if graph is not None:
        graph.push(None)
        yield from _pulled(graph)


def _graph(frame: av.VideoFrame) -> av.filter.Graph:
    graph = av.filter.Graph()
    begin = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format.name,
        time_base=frame.time_base,
    )
    middle = graph.add("bwdif", "mode=send_frame:deint=interlaced")
    end = graph.add("buffersink")
    begin.link_to(middle)
    middle.link_to(end)
    graph.configure()
    return graph


def _pulled(graph: av.filter.Graph) -> Iterator[av.VideoFrame]:
    while True:
        try:
            yield graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return


def _has_two(frame: av.VideoFrame) -> bool:
    return frame.interlaced_frame and frame.format.is_planar and frame.height > 1


def _split(frame: av.VideoFrame) -> list[av.VideoFrame]:
    """Returns copies of the lines above and of the lines below."""
    fields = []
    for first in (0, 1):
        height = (frame.height + 1 - first) // 2
        field = av.VideoFrame(frame.width, height, frame.format.name)
        frames.tagged(field, frame)
        for index in range(len(frame.planes)):
            lines = frames.plane(frame, index)[first::2]
            plane = frames.plane(field, index)
            # Of chroma with an odd number of lines, the last one serves both.
            plane[: len(lines)] = lines[: len(plane)]
            plane[len(lines) :] = frames.plane(frame, index)[-1]
        fields.append(field)
    return fields


def _woven(fields: list[av.VideoFrame], frame: av.VideoFrame) -> av.VideoFrame:
    """Returns the frame with the lines of both fields."""
    name = fields[0].format.name
    if frame.format.name != name:
        # Another frame, which remembers that it is interlaced, and how.
        new = frame.reformat(format=name)
        frames.tagged(new, frame)
        new.color_range = fields[0].color_range
        new.colorspace = fields[0].colorspace
        frame = new
    frame.make_writable()
    for first, field in enumerate(fields):
        for index in range(len(frame.planes)):
            lines = frames.plane(frame, index)[first::2]
            lines[...] = frames.plane(field, index)[: len(lines)]
    return frame
