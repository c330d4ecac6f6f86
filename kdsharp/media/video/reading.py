"""Reads a video file as frames, and the packets of its other streams."""

import logging
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError, InvalidDataError
from av.stream import Disposition

from kdsharp.errors import UserError
from kdsharp.media.video import ffmpeg_errors, opening, timestamps

logger = logging.getLogger(__name__)

# The rate of streams that do not declare one.
_RATE = Fraction(25)

# A file that is shorter than this fraction of its declared length is truncated.
_WHOLE = 0.98


class Reader:
    """A video file that yields its frames and packets in order.

    Timestamps start at 0: they are those of the file minus `shift`.
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
            raise UserError(f"there is no file {path}")
        with ffmpeg_errors.as_user_error(
            f"{path} cannot be read", "give a video that ffmpeg reads"
        ):
            self.container = opening.open_input(str(path))
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
        """The average frame rate."""
        return self.video.average_rate or self.video.guessed_rate or _RATE

    @property
    def frames(self) -> int | None:
        """The approximate number of frames, if known."""
        if self.length is None:
            return None
        return max(round(self.length * self.rate), 1)

    def items(
        self, carried: set[int], stopped: Callable[[], bool] = lambda: False
    ) -> Iterator[av.VideoFrame | av.Packet]:
        """Yields frames, and the packets of the streams in `carried`, in file order."""
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
        """Yields packets, and finally None to flush the decoder."""
        packets = self.container.demux(*streams)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                break
            except FFmpegError as error:
                logger.warning(
                    "%s cannot be read after %s: %s",
                    self.path,
                    timestamps.format_time(self.reached),
                    ffmpeg_errors.describe(error),
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
        """Makes the frame's time relative to the start; returns whether to keep it."""
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
        """Makes the packet's times relative to the start; returns whether to keep
        it."""
        if packet.is_corrupt:
            self.damaged += 1
        base = packet.time_base
        moment = packet.pts if packet.pts is not None else packet.dts
        if moment is None:
            return False
        shift = round(self.shift / base)
        end = moment - shift + (packet.duration or 0)
        # A subtitle that has begun is kept. Audio before the first frame would delay
        # that frame, because containers do not support negative times.
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
                f"{self.path} ends at {timestamps.format_time(self.duration)}: give an "
                "earlier --start"
            )
        with ffmpeg_errors.as_user_error(
            f"{self.path}: cannot seek to {timestamps.format_time(start)}",
            "leave out --start",
        ):
            self.container.seek(round(self.shift * av.time_base), backward=True)

    def complaints(self, stopped: bool) -> list[str]:
        """Describes what was wrong with the file, once reading has ended."""
        found = []
        if self.damaged:
            found.append(f"{self.path}: skipped {self.damaged} damaged packets")
        if stopped or not self.length:
            return found
        if self.reached + 2 / self.rate < self.length * _WHOLE:
            found.append(
                f"{self.path} is truncated at {timestamps.format_time(self.reached)} "
                f"of {timestamps.format_time(self.length)}"
            )
        return found

    def close(self) -> None:
        self.container.close()


def _picture(container: InputContainer, path: Path) -> av.VideoStream:
    moving = [
        stream
        for stream in container.streams.video
        if not stream.disposition & Disposition.attached_pic
    ]
    if not moving:
        raise UserError(f"{path} contains no video")
    best = container.streams.best("video")
    stream = next((video for video in moving if video is best), moving[0])
    if len(moving) > 1:
        logger.info(
            "%s contains %d videos: stream %d is restored, the others are copied",
            path,
            len(moving),
            stream.index,
        )
    tags = {name.lower(): value for name, value in stream.metadata.items()}
    if tags.get("alpha_mode") == "1":
        logger.warning("%s: its transparency is not supported and is dropped", path)
    if stream.codec_context is None:
        raise UserError(
            f"{path}: its video codec is not supported; convert it, for example to "
            "H.264"
        )
    return stream


def _beginning(container: InputContainer) -> Fraction:
    """The timestamp at which the file starts, which is not 0 in recorded broadcasts."""
    return max(Fraction(container.start_time or 0, av.time_base), Fraction(0))


def _length(container, stream) -> Fraction | None:
    if container.duration:
        return Fraction(container.duration, av.time_base)
    if stream.duration:
        return stream.duration * stream.time_base
    return None
