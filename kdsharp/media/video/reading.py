"""A video file as frames, and as the packets between them that are not its picture."""

import logging
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError, InvalidDataError
from av.stream import Disposition

from kdsharp.errors import UserError
from kdsharp.media.video import failures, timestamps

logger = logging.getLogger(__name__)

# Of a stream that says nothing of its rate.
_RATE = Fraction(25)

# A file that lacks more than this share of what it promises has been cut off.
_WHOLE = 0.98


class Reader:
    """A file that is being read: its streams, and what comes out of them in order.

    Times start at 0: those of the file, less `shift`.
    """

    def __init__(
        self,
        path: Path,
        *,
        start: Fraction | None = None,
        duration: Fraction | None = None,
        threads: int = 0,
    ):
        self.path = path
        if not path.is_file():
            raise UserError(f"{path} is no file: name a video")
        with failures.told(f"{path} cannot be read", "give a video that ffmpeg reads"):
            self.container = av.open(str(path), metadata_errors="replace")
        try:
            self.video = _picture(self.container, path)
            self.shift = _beginning(self.container) + (start or 0)
            self.duration = _length(self.container, self.video)
            if start:
                self._seek(start)
        except BaseException:
            self.container.close()
            raise
        self.length = self.duration
        if self.length is not None:
            self.length = max(self.length - (start or 0), Fraction(0))
        if duration is not None:
            self.length = duration if not self.length else min(duration, self.length)
        self._until = duration
        self._started = bool(start)
        self.video.codec_context.thread_type = "AUTO"
        self.video.codec_context.thread_count = threads
        self.damaged = 0
        self.reached = Fraction(0)
        self._last: int | None = None

    @property
    def rate(self) -> Fraction:
        """Frames a second, on average."""
        return self.video.average_rate or self.video.guessed_rate or _RATE

    @property
    def frames(self) -> int | None:
        """About so many frames will come, where that is known."""
        if self.length is None:
            return None
        return max(round(self.length * self.rate), 1)

    def items(
        self, carried: set[int], stopped: Callable[[], bool] = lambda: False
    ) -> Iterator[av.VideoFrame | av.Packet]:
        """Yields frames, and packets of the streams of these indices, as they come."""
        streams = [
            stream
            for stream in self.container.streams
            if stream is self.video or stream.index in carried
        ]
        ended: set[int] = set()
        for packet in self._packets(streams):
            if stopped():
                return
            if packet is None or packet.stream is self.video:
                for frame in self._decoded(packet):
                    assert frame.pts is not None and frame.time_base is not None
                    moment = frame.pts * frame.time_base
                    if self._over(moment):
                        ended.add(self.video.index)
                        break
                    self.reached = moment
                    yield frame
                    if stopped():
                        return
            elif self._keeps(packet):
                yield packet
            if ended:
                return

    def _packets(self, streams: list) -> Iterator[av.Packet | None]:
        """Yields packets, and None when the decoder is to give what it still holds."""
        packets = self.container.demux(*streams)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                break
            except FFmpegError as error:
                logger.warning(
                    "%s: what follows %s cannot be read: %s",
                    self.path,
                    timestamps.spelled(self.reached),
                    failures.words(error),
                )
                break
            # PyAV ends each stream with an empty packet.
            if packet.size or packet.dts is not None:
                yield packet
        yield None

    def _decoded(self, packet: av.Packet | None) -> Iterator[av.VideoFrame]:
        try:
            frames = self.video.decode(packet)
        except InvalidDataError:
            self.damaged += 1
            return
        except EOFError:
            return
        for frame in frames:
            if self._timed(frame):
                yield frame

    def _timed(self, frame: av.VideoFrame) -> bool:
        """Returns whether the frame is wanted; its time is counted from the start."""
        base = frame.time_base or self.video.time_base
        assert base is not None
        if frame.time_base is None:
            frame.time_base = base
        if frame.pts is None:
            frame.pts = frame.dts
        if frame.pts is not None:
            frame.pts -= round(self.shift / base)
            if frame.pts < 0 and self._started:
                return False
        step = max(round(1 / self.rate / base), 1)
        if frame.pts is None:
            frame.pts = 0 if self._last is None else self._last + step
        if self._last is not None and frame.pts <= self._last:
            frame.pts = self._last + 1
        self._last = frame.pts
        return True

    def _keeps(self, packet: av.Packet) -> bool:
        """Returns whether the packet is wanted; its time is counted from the start."""
        if packet.is_corrupt:
            self.damaged += 1
        base = packet.time_base
        moment = packet.pts if packet.pts is not None else packet.dts
        if moment is None:
            return False
        shift = round(self.shift / base)
        end = moment - shift + (packet.duration or 0)
        # Of a subtitle the rest is wanted; sound that begins before the first frame
        # would put off that frame, for no container likes times below 0.
        if (
            self._started
            and (end if packet.stream.type == "subtitle" else moment - shift) < 0
        ):
            return False
        if self._over((moment - shift) * base):
            return False
        if packet.pts is not None:
            packet.pts -= shift
        if packet.dts is not None:
            packet.dts -= shift
        early = packet.pts is not None and packet.pts < 0
        if self._started and packet.stream.type == "subtitle" and early:
            packet.duration, packet.pts, packet.dts = end, 0, 0
        return True

    def _over(self, moment: Fraction) -> bool:
        return self._until is not None and moment >= self._until

    def _seek(self, start: Fraction) -> None:
        if self.duration and start >= self.duration:
            raise UserError(
                f"{self.path} ends at {timestamps.spelled(self.duration)}: let it "
                "start before that"
            )
        with failures.told(
            f"{self.path} cannot be entered at {timestamps.spelled(start)}",
            "leave out the start",
        ):
            self.container.seek(round(self.shift * av.time_base), backward=True)

    def complaints(self, stopped: bool) -> list[str]:
        """Returns what was wrong with the file, once it is read or reading stopped."""
        found = []
        if self.damaged:
            found.append(f"{self.damaged} damaged packets of {self.path} are left out")
        if stopped or not self.length:
            return found
        if self.reached + 2 / self.rate < self.length * _WHOLE:
            found.append(
                f"{self.path} breaks off at {timestamps.spelled(self.reached)} of "
                f"{timestamps.spelled(self.length)}"
            )
        return found

    def close(self) -> None:
        """Closes the file."""
        self.container.close()


def _picture(container: InputContainer, path: Path) -> av.VideoStream:
    moving = [
        stream
        for stream in container.streams.video
        if not stream.disposition & Disposition.attached_pic
    ]
    if not moving:
        raise UserError(f"{path} holds no video: name a file that does")
    best = container.streams.best("video")
    stream = next((video for video in moving if video is best), moving[0])
    if len(moving) > 1:
        logger.info(
            "%s holds %d videos: stream %d is restored, the others stay as they are",
            path,
            len(moving),
            stream.index,
        )
    told = {name.lower(): value for name, value in stream.metadata.items()}
    if told.get("alpha_mode") == "1":
        logger.warning("%s: its transparency is not read, and left out", path)
    if stream.codec_context is None:
        raise UserError(
            f"{path}: no decoder here knows its video; convert it, say to H.264"
        )
    return stream


def _beginning(container: InputContainer) -> Fraction:
    """Returns when a file starts whose clock does not, as in a recorded broadcast."""
    return max(Fraction(container.start_time or 0, av.time_base), Fraction(0))


def _length(container, stream) -> Fraction | None:
    if container.duration:
        return Fraction(container.duration, av.time_base)
    if stream.duration:
        return stream.duration * stream.time_base
    return None
