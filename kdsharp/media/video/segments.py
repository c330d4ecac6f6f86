"""Encoded video kept in segments, from which an interrupted run goes on.

A segment is so many frames, counted from the first of the video, by an encoder of its
own: it begins with a whole picture and needs nothing of the segment before. So the
segments of a run that was interrupted are those of one that was not.
"""

import dataclasses
import functools
import json
import logging
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import av

from kdsharp.base import atomic_files
from kdsharp.errors import UserError

logger = logging.getLogger(__name__)

FRAMES = 240
"""In a segment. Most encoders begin anew with a whole picture about as often."""

_PIECE = 1 << 20


class Encoder(Protocol):
    """As a video stream of PyAV's is; None asks for the packets that it holds back."""

    def encode(self, frame: av.VideoFrame | None) -> list[av.Packet]: ...


@dataclasses.dataclass(frozen=True)
class Index:
    """What a segment's file holds: `packets` are pts, dts, duration, key and size.

    Times count from `first`, the time of the segment's first frame.
    """

    first: int
    frames: int
    checksum: int
    packets: tuple[tuple[int, int, int, int, int], ...]


class Folder:
    """The folder that segments are kept in; each is there whole, or not at all."""

    def __init__(self, path: Path):
        self.path = path
        # What is there at the beginning; of the others this run makes its own.
        self.whole = functools.cache(self._whole)

    def data(self, number: int) -> Path:
        """Returns the file of a segment's packets, one after another."""
        return self.path / f"{number:06}.packets"

    def index(self, number: int) -> Path:
        """Returns the file that says what those are, written once they are there."""
        return self.path / f"{number:06}.json"

    @property
    def kept(self) -> int:
        """How many segments there are."""
        return len(list(self.path.glob("[0-9]*.json")))

    def _whole(self, number: int) -> Index | None:
        path = self.index(number)
        if not path.exists():
            return None
        try:
            told = json.loads(path.read_text())
            packets = tuple(tuple(packet) for packet in told.pop("packets"))
            index = Index(**told, packets=packets)
            if index.checksum == _checksum(self.data(number)):
                return index
        except (OSError, ValueError, TypeError, KeyError) as error:
            logger.debug("%s: %s", path, error)
        logger.warning("%s is damaged: its frames are restored again", path)
        path.unlink()
        return None


class SegmentedEncoder:
    """Encodes video in segments, or takes those that are there instead.

    Frames of the latter need not be restored: only their times count. `begin` returns
    an encoder that has encoded nothing yet, and what keeps it open.
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
        """Returns packets of the stream that are ready; None asks for the rest."""
        packets = []
        if frame is not None:
            if self._segment is None:
                self._segment = self._next(frame.pts)
            packets += self._segment.frame(frame)
            self._frames += 1
        if self._segment and (frame is None or self._frames % FRAMES == 0):
            packets += self._segment.end()
            self._segment = None
        return [self._in_order(packet) for packet in packets]

    def abandon(self) -> None:
        """Gives up the segment that is not whole."""
        if self._segment:
            self._segment.abandon()
        self._segment = None

    def _next(self, first: int) -> "_Stored | _Made":
        number = self._frames // FRAMES
        if index := self._folder.whole(number):
            return _Stored(self._folder.data(number), index, first)
        return _Made(self._folder, number, first, self._begin())

    def _in_order(self, packet: av.Packet) -> av.Packet:
        """Returns the packet, decoded after those of the segment before.

        A reordering encoder begins to decode before its first frame is shown: by as
        much as frames are apart there, which may be more than they were before.
        """
        if self._dts is not None:
            packet.dts = max(packet.dts, self._dts + 1)
        self._dts = packet.dts
        packet.stream = self._stream
        packet.time_base = self._stream.codec_context.time_base
        return packet


class _Stored:
    """A segment that is there: its packets come out as its frames go in."""

    def __init__(self, path: Path, index: Index, first: int):
        self._path, self._index, self._frames = path, index, 0
        if first != index.first:
            raise self._unfit()
        self._packets = _read(path, index)

    def frame(self, frame: av.VideoFrame) -> Iterator[av.Packet]:
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
            f"{self._path} holds other frames than the video now has there: remove "
            f"{self._path.parent} to begin anew"
        )


class _Made:
    """A segment that is being encoded, and kept once it is whole."""

    def __init__(self, folder: Folder, number: int, first: int, encoder: Encoder):
        self._folder, self._number, self._first = folder, number, first
        self._encoder = encoder
        self._file = folder.data(number).open("wb")
        self._packets: list[tuple[int, int, int, int, int]] = []
        self._frames = self._checksum = 0

    def frame(self, frame: av.VideoFrame) -> list[av.Packet]:
        self._frames += 1
        # MPEG-4 counts the seconds since the encoder began, which it takes for 0.
        frame.pts -= self._first
        try:
            return self._keep(self._encoder.encode(frame))
        finally:
            frame.pts += self._first

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
            times = packet.pts, packet.dts, packet.duration or 0
            self._packets.append((*times, int(packet.is_keyframe), len(content)))
            packet.pts += self._first
            packet.dts += self._first
        return packets


def _read(path: Path, index: Index) -> Iterator[av.Packet]:
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
