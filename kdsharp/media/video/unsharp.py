"""FFmpeg's unsharp mask, on the luma of frames."""

import av

# Pixels across, which FFmpeg wants odd.
_ACROSS = 5


class Unsharp:
    """A function from a frame to one whose edges are steeper by that amount."""

    def __init__(self, amount: float):
        self._amount = amount
        self._graph: av.filter.Graph | None = None
        self._for: tuple | None = None

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        kind = (frame.width, frame.height, frame.format.name, frame.time_base)
        if self._graph is None or kind != self._for:
            self._graph, self._for = self._built(frame), kind
        self._graph.push(frame)
        made = self._graph.pull()
        made.pts, made.time_base, made.duration = (
            frame.pts,
            frame.time_base,
            frame.duration,
        )
        return made

    def _built(self, frame: av.VideoFrame) -> av.filter.Graph:
        graph = av.filter.Graph()
        source = graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format,
            time_base=frame.time_base,
        )
        mask = graph.add("unsharp", f"{_ACROSS}:{_ACROSS}:{self._amount}:5:5:0")
        sink = graph.add("buffersink")
        source.link_to(mask)
        mask.link_to(sink)
        graph.configure()
        return graph
