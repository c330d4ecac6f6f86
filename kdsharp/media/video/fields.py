"""Interlaced video, whose frames consist of two fields from different times.

A network would mistake the combing between them for content, so it restores each field
separately, as a picture of half the height. Alternatively, FFmpeg's bwdif converts the
frames to progressive.
"""

import dataclasses
from collections.abc import Iterable, Iterator

import av
import av.error
from av.filter import Graph

from kdsharp.media.video import frames
from kdsharp.media.video.passages import Finish
from kdsharp.media.video.restoring import Restoration
from kdsharp.runtime.options import RestoreOptions


class FieldwiseRestoration:
    """A `Restoration` that restores interlaced frames field by field."""

    def __init__(self, options: RestoreOptions, parallel: int = 1):
        self._parallel = parallel
        self._whole = Restoration(options, parallel)
        size = options.size and (options.size[0], max(options.size[1] // 2, 1))
        self._options = dataclasses.replace(options, size=size)
        self._halves: list[Restoration] = []

    @property
    def name(self) -> str:
        """The name of the network."""
        return self._whole.name

    def prepare(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Converts the frame to the working format, and compiles the network for it."""
        if not _is_interlaced(frame):
            return self._whole.prepare(frame)
        prepared = [
            restoration.prepare(field)
            for restoration, field in zip(self._fields(), _split(frame), strict=True)
        ]
        return _weave(prepared, frame)

    def start_sequence(self) -> None:
        """Starts a new sequence with the next frame."""
        for restoration in (self._whole, *self._halves):
            restoration.start_sequence()

    def show_compared(self, compare: bool) -> None:
        """Turns the split screen on or off, from the next frame on."""
        for restoration in (self._whole, *self._halves):
            restoration.compare = compare

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        return self.start(frame)()

    def start(self, frame: av.VideoFrame) -> Finish:
        """Starts to restore a frame; what it returns waits for the restored frame.

        Frames are finished in the order in which they are started.
        """
        if not _is_interlaced(frame):
            return self._whole.start(frame)
        restored = [
            restoration.start(field)
            for restoration, field in zip(self._fields(), _split(frame), strict=True)
        ]
        return lambda: _weave([finish() for finish in restored], frame)

    def _fields(self) -> list[Restoration]:
        # One per field, so that the state of each belongs to the same lines.
        if not self._halves:
            self._halves = [
                Restoration(self._options, self._parallel) for _ in range(2)
            ]
        return self._halves


def deinterlace(
    items: Iterable[av.VideoFrame | av.Packet],
) -> Iterator[av.VideoFrame | av.Packet]:
    """Yields the items, with interlaced frames converted to progressive.

    Each frame shows the time of its first field. Progressive frames are unchanged.
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


def _graph(frame: av.VideoFrame) -> Graph:
    graph = Graph()
    begin = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format,
        time_base=frame.time_base,
    )
    middle = graph.add("bwdif", "mode=send_frame:deint=interlaced")
    end = graph.add("buffersink")
    begin.link_to(middle)
    middle.link_to(end)
    graph.configure()
    return graph


def _pulled(graph: Graph) -> Iterator[av.VideoFrame]:
    while True:
        try:
            frame = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        assert isinstance(frame, av.VideoFrame)
        yield frame


def _is_interlaced(frame: av.VideoFrame) -> bool:
    return frame.interlaced_frame and frame.format.is_planar and frame.height > 1


def _split(frame: av.VideoFrame) -> list[av.VideoFrame]:
    """Copies the top and the bottom field to frames of their own."""
    fields = []
    for first in (0, 1):
        height = (frame.height + 1 - first) // 2
        field = av.VideoFrame(frame.width, height, frame.format.name)
        frames.copy_tags(field, frame)
        for index in range(len(frame.planes)):
            lines = frames.plane(frame, index)[first::2]
            plane = frames.plane(field, index)
            # If chroma has an odd number of lines, both fields get the last one.
            plane[: len(lines)] = lines[: len(plane)]
            plane[len(lines) :] = frames.plane(frame, index)[-1]
        fields.append(field)
    return fields


def _weave(fields: list[av.VideoFrame], frame: av.VideoFrame) -> av.VideoFrame:
    """Interleaves the lines of both fields into the frame."""
    name = fields[0].format.name
    if frame.format.name != name:
        # Reformatting keeps the interlacing flags.
        new = frame.reformat(format=name)
        frames.copy_tags(new, frame)
        new.color_range = fields[0].color_range
        new.colorspace = fields[0].colorspace
        frame = new
    frame.make_writable()
    for first, field in enumerate(fields):
        for index in range(len(frame.planes)):
            lines = frames.plane(frame, index)[first::2]
            lines[...] = frames.plane(field, index)[: len(lines)]
    return frame
