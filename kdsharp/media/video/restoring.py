"""A frame becomes a restored frame of that size, format and time."""

import dataclasses

import av
import numpy as np

from kdsharp.export import network as networks
from kdsharp.media.video import formats, frames, passages, seam, unsharp
from kdsharp.media.video.conforming import Conform
from kdsharp.runtime import planes
from kdsharp.runtime.options import DEFAULT_VIDEO, RestoreOptions


@dataclasses.dataclass(frozen=True)
class _Restorer:
    """What restores frames of one range and depth."""

    passage: passages.Passage
    network: planes.PlaneRestorer
    depth: int
    white: int


class Restoration:
    """A function from a frame to a restored frame of that size, format and time.

    A frame is made like the first; a passage takes its pixels to the network and back;
    an unsharp mask and a seam are drawn over them. The frame given may be written to.
    """

    def __init__(self, options: RestoreOptions):
        self._options = options
        self._network = networks.of_weights(options.model or DEFAULT_VIDEO)
        self._conform = Conform()
        self._restorers: dict[tuple[bool, int], _Restorer] = {}

    @property
    def name(self) -> str:
        """The network's name."""
        return self._network.name

    def prepare(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Returns the frame in the format that is worked in, and compiles for it."""
        frame = self._conform(frame)
        network = self._restorer(frame).network
        # The first run is the slowest.
        network(np.zeros(network.shape, network.element))
        self.start_sequence()
        return frame

    def start_sequence(self) -> None:
        """Takes the next frame for the first of another video."""
        for restorer in self._restorers.values():
            restorer.network.start_sequence()

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        frame = self._conform(frame)
        frame.make_writable()
        left = seam.left_of(frames.planes(frame)) if self._options.compare else []
        restorer = self._restorer(frame)
        if self._options.strength:
            frame = restorer.passage(frame, restorer.network)
        if self._options.unsharp:
            unsharp.mask(frames.plane(frame), self._options.unsharp, restorer.depth)
        if left:
            seam.join(left, frames.planes(frame), restorer.white)
        return frame

    def _restorer(self, frame: av.VideoFrame) -> _Restorer:
        """Returns what restores frames like this one, which is conformed."""
        full, depth = frames.is_full(frame), formats.luma_depth(frame.format.name)
        if (full, depth) not in self._restorers:
            self._restorers[full, depth] = self._create(frame, full, depth)
        return self._restorers[full, depth]

    def _create(self, frame: av.VideoFrame, full: bool, depth: int) -> _Restorer:
        luma = self._network.model.channels == 1
        size = self._options.size or (frame.width, frame.height)
        network = planes.create(
            self._network,
            *size,
            backend=self._options.backend,
            dtype=self._options.dtype,
            threads=self._options.threads,
            range="studio" if luma and not full else "full",
            strength=self._options.strength,
            depth=depth,
            skip_repeats=True,
        )
        return _Restorer(
            passages.find(frame, size, luma=luma),
            network,
            depth,
            white=(255 if full else 235) << depth - 8,
        )
