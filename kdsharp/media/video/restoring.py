"""Restores frames, keeping their size, format and timestamp."""

import dataclasses

import av
import numpy as np

from kdsharp.export import network as networks
from kdsharp.media.video import formats, frames, passages, split_screen, unsharp
from kdsharp.media.video.normalizer import FrameNormalizer
from kdsharp.runtime import planes
from kdsharp.runtime.options import DEFAULT_VIDEO, RestoreOptions
from kdsharp.runtime.repeats import SkipRepeats


@dataclasses.dataclass(frozen=True)
class _Restorer:
    """How frames of one range and bit depth are restored."""

    passage: passages.Passage
    network: planes.PlaneRestorer
    start: SkipRepeats
    depth: int
    white: int


class Restoration:
    """A function from a frame to the restored frame of the same size, format and time.

    It converts the frame to the format of the first, passes its pixels through the
    network, and applies the unsharp mask and the split screen. It may modify the given
    frame. Up to `parallel` frames are restored at the same time if they are started
    before the first of them is finished.
    """

    def __init__(self, options: RestoreOptions, parallel: int = 1):
        self._options = options
        self._parallel = parallel
        self.compare = options.compare
        self._network = networks.of_weights(options.model or DEFAULT_VIDEO)
        self._normalize = FrameNormalizer()
        self._restorers: dict[tuple[bool, int], _Restorer] = {}

    @property
    def name(self) -> str:
        """The name of the network."""
        return self._network.name

    def prepare(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Converts the frame to the working format, and compiles the network for it."""
        frame = self._normalize(frame)
        network = self._restorer(frame).network
        # Warm up: the first run is the slowest.
        network(np.zeros(network.shape, network.element))
        self.start_sequence()
        return frame

    def start_sequence(self) -> None:
        """Starts a new sequence with the next frame."""
        for restorer in self._restorers.values():
            restorer.start.start_sequence()

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        return self.start(frame)()

    def start(self, frame: av.VideoFrame) -> passages.Finish:
        """Starts to restore a frame; what it returns waits for the restored frame.

        Frames are finished in the order in which they are started.
        """
        frame = self._normalize(frame)
        frame.make_writable()
        left = split_screen.copy_left(frames.planes(frame)) if self.compare else []
        restorer = self._restorer(frame)
        strength = self._options.strength
        started = restorer.passage(frame, restorer.start) if strength else None

        def finish() -> av.VideoFrame:
            made = started() if started else frame
            if self._options.unsharp:
                unsharp.mask(frames.plane(made), self._options.unsharp, restorer.depth)
            if left:
                split_screen.join(left, frames.planes(made), restorer.white)
            return made

        return finish

    def _restorer(self, frame: av.VideoFrame) -> _Restorer:
        """Looks up or creates the restorer of frames like this one."""
        full, depth = frames.is_full(frame), formats.luma_depth(frame.format.name)
        assert depth is not None  # Frames are conformed to a format that has one.
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
            device=self._options.device,
            range="studio" if luma and not full else "full",
            strength=self._options.strength,
            depth=depth,
            parallel=self._parallel,
        )
        return _Restorer(
            passages.find(frame, size, luma=luma),
            network,
            SkipRepeats(network),
            depth,
            white=(255 if full else 235) << depth - 8,
        )
