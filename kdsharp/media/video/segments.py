"""Encoded video in segments, from which an interrupted run resumes.

A segment is a fixed number of frames, counted from the first of the video, with an
encoder of its own. It starts with a keyframe and is independent of other segments, so
that an interrupted run produces the same segments as an uninterrupted one.
"""

import dataclasses
import functools
import json
import logging
import zlib
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Protocol

import av

from kdsharp.base import atomic_files
from kdsharp.errors import UserError

logger = logging.getLogger(__name__)

FRAMES = 240
"""Frames per segment, about the keyframe interval of most encoders."""

_PIECE = 1 << 20


class Encoder(Protocol):
    """The interface of PyAV's video streams; None flushes the encoder."""

    def encode(self, frame: av.VideoFrame | None) -> list[av.Packet]: ...


@dataclasses.dataclass(frozen=True)
class Index:
    """The content of a segment's file: `packets` are (pts, dts, duration, key, size).

    Times are relative to `first`, the time of the segment's first frame.
    """

    first: int
    frames: int
    checksum: int
    packets: tuple[tuple[int, int, int, int, int], ...]


class Folder:
    """A folder of segments; each is either complete or absent."""

    def __init__(self, path: Path):
        self.path = path
        # Cached: segments that this run writes itself do not count.
        self.whole = functools.cache(self._whole)

    def data(self, number: int) -> Path:
        """The file with the packets of a segment."""
        return self.path / f"{number:06}.packets"

    def index(self, number: int) -> Path:
        """The file with the index of a segment, written after its packets."""
        return self.path / f"{number:06}.json"

    @property
    def kept(self) -> int:
        """The number of segments."""
        return len(list(self.path.glob("[0-9]*.json")))

    def _whole(self, number: int) -> Index | None:
        path = self.index(number)
        if not path.exists():
            return None
        try:
            values = json.loads(path.read_text())
            packets = tuple(tuple(packet) for packet in values.pop("packets"))
            index = Index(**values, packets=packets)
            if index.checksum == _checksum(self.data(number)):
                return index
        except (OSError, ValueError, TypeError, KeyError) as error:
            logger.debug("%s: %s", path, error)
        logger.warning("%s is damaged: its frames are restored again", path)
        path.unlink()
        return None


class SegmentedEncoder:
    """Encodes video in segments, or reads them if they are stored already.

    Frames of stored segments need not be restored, because only their timestamps are
    used. `begin` returns a new encoder.
    """

    def __init__(
        self,
        folder: Folder,
        stream: av.VideoStream,
        begin: Callable[[], Encoder],
    ):
        self._folder = folder
        self._stream = stream
        self._begin = begin
        self._segment: _Stored | _Made | None = None
        self._frames = 0
        self._dts: int | None = None

    def encode(self, frame: av.VideoFrame | None) -> list[av.Packet]:
        """Encodes a frame and lists finished packets; None flushes the encoder."""
        packets = []
        if frame is not None:
            if self._segment is None:
                assert frame.pts is not None
                self._segment = self._next(frame.pts)
            packets += self._segment.frame(frame)
            self._frames += 1
        if self._segment and (frame is None or self._frames % FRAMES == 0):
            packets += self._segment.end()
            self._segment = None
        return [self._in_order(packet) for packet in packets]

    def abandon(self) -> None:
        """Discards the incomplete segment."""
        if self._segment:
            self._segment.abandon()
        self._segment = None

    def _next(self, first: int) -> "_Stored | _Made":
        number = self._frames // FRAMES
        if index := self._folder.whole(number):
            return _Stored(self._folder.data(number), index, first)
        return _Made(self._folder, number, first, self._begin())

    def _in_order(self, packet: av.Packet) -> av.Packet:
        """Makes the packet's dts larger than that of all packets before.

        An encoder that reorders frames starts decoding before its first frame is shown,
        by the distance of frames there, which may be larger than before.
        """
        if self._dts is not None:
            assert packet.dts is not None
            packet.dts = max(packet.dts, self._dts + 1)
        self._dts = packet.dts
        packet.stream = self._stream
        packet.time_base = self._stream.codec_context.time_base
        return packet


class _Stored:
    """A stored segment: returns its packets as its frames are passed in."""

    def __init__(self, path: Path, index: Index, first: int):
        self._path, self._index, self._frames = path, index, 0
        if first != index.first:
            raise self._unfit()
        self._packets = _read(path, index)

    def frame(self, frame: av.VideoFrame) -> list[av.Packet]:
        self._frames += 1
        packet = next(self._packets, None)
        return [] if packet is None else [packet]

    def end(self) -> list[av.Packet]:
        if self._frames != self._index.frames:
            raise self._unfit()
        return list(self._packets)

    def abandon(self) -> None:
        self._packets.close()

    def _unfit(self) -> UserError:
        return UserError(
            f"{self._path} does not fit the frames of the video: remove "
            f"{self._path.parent} to start again"
        )


class _Made:
    """A segment that is being encoded, and stored once it is complete."""

    def __init__(self, folder: Folder, number: int, first: int, encoder: Encoder):
        self._folder, self._number, self._first = folder, number, first
        self._encoder = encoder
        self._file = folder.data(number).open("wb")
        self._packets: list[tuple[int, int, int, int, int]] = []
        self._frames = self._checksum = 0

    def frame(self, frame: av.VideoFrame) -> list[av.Packet]:
        self._frames += 1
        # MPEG-4 counts time from the start of the encoder.
        pts = frame.pts
        assert pts is not None
        frame.pts = pts - self._first
        try:
            return self._keep(self._encoder.encode(frame))
        finally:
            frame.pts = pts

    def end(self) -> list[av.Packet]:
        packets = self._keep(self._encoder.encode(None))
        self._file.close()
        atomic_files.flush(self._folder.data(self._number))
        index = Index(self._first, self._frames, self._checksum, tuple(self._packets))
        text = json.dumps(dataclasses.asdict(index))
        atomic_files.write_text(self._folder.index(self._number), text, durable=True)
        return packets

    def abandon(self) -> None:
        self._file.close()

    def _keep(self, packets: list[av.Packet]) -> list[av.Packet]:
        for packet in packets:
            content = bytes(packet)
            self._file.write(content)
            self._checksum = zlib.crc32(content, self._checksum)
            pts, dts = packet.pts, packet.dts
            assert pts is not None and dts is not None
            self._packets.append(
                (pts, dts, packet.duration or 0, int(packet.is_keyframe), len(content))
            )
            packet.pts, packet.dts = pts + self._first, dts + self._first
        return packets


def _read(path: Path, index: Index) -> Generator[av.Packet, None, None]:
    with path.open("rb") as file:
        for pts, dts, duration, key, size in index.packets:
            packet = av.Packet(file.read(size))
            packet.pts, packet.dts = pts + index.first, dts + index.first
            packet.duration, packet.is_keyframe = duration, bool(key)
            yield packet


def _checksum(path: Path) -> int:
    found = 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            found = zlib.crc32(piece, found)
    return found
