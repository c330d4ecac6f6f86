"""Frames of a live input as they arrive, with reconnection."""

import logging
import subprocess
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import av
from av.codec.context import Flags
from av.container import InputContainer
from av.error import FFmpegError, InvalidDataError, OptionNotFoundError

from kdsharp.errors import UserError
from kdsharp.media.video import ffmpeg_errors, opening
from kdsharp.media.video.live import programs
from kdsharp.media.video.live.inputs import Input

logger = logging.getLogger(__name__)

BASE = Fraction(1, 90000)
"""The time base of all frames, whatever that of their stream."""

# Frames are at least a millisecond apart, the resolution of Matroska.
_APART = 90

# Seconds between attempts to open, and the time limit for data from an open stream.
_ATTEMPT, _SILENCE = 0.5, 3.0

# A clock that is off by more seconds than this has jumped.
_JUMP = 2.0


class Arrivals:
    """A live input with a continuous clock that starts at the first frame.

    Timestamps follow the stream's own clock. If it jumps, or if the stream is
    interrupted, they continue from the time of its return.
    """

    shift, length = Fraction(0), None

    def __init__(
        self,
        wanted: Input,
        patience: float,
        stopped: Callable[[], bool],
        since: float | None = None,
    ):
        self._wanted, self._patience, self._stopped = wanted, patience, stopped
        self._since = since
        self._container: InputContainer | None = None
        self._video: av.VideoStream | None = None
        self._program: subprocess.Popen | None = None
        self._begin: float | None = None
        self._offset: float | None = None
        self._kinds: dict[int, str] = {}
        self._last: dict[int, int] = {}
        self.returned = 0

    @property
    def container(self) -> InputContainer:
        """What is open now."""
        assert self._container is not None
        return self._container

    @property
    def video(self) -> av.VideoStream:
        """The stream of pictures in it."""
        assert self._video is not None
        return self._video

    @property
    def rate(self) -> Fraction:
        """The frame rate that the stream declares."""
        return self.video.average_rate or self.video.guessed_rate or Fraction(25)

    def start(self) -> None:
        """Starts the clock now, at the most recent frame."""
        self._begin = time.monotonic()

    def cut(self) -> None:
        """Kills the external program, so that nobody waits for it any more."""
        if program := self._program:
            program.kill()

    def items(self) -> Iterator[tuple[av.VideoFrame | av.Packet, float]]:
        """Yields frames and other packets, each with its time of arrival."""
        while self._open():
            finite = bool(self.container.duration) or not self._wanted.returns
            try:
                yield from self._until_it_stops()
                reason = "it ended"
            except FFmpegError as error:
                reason = ffmpeg_errors.describe(error)
            self._close()
            if self._stopped() or finite:
                return
            logger.warning("%s stopped (%s): waiting", self._wanted.name, reason)
            self._offset = None
        if not self._stopped():
            logger.warning(
                "%s did not return within %g s", self._wanted.name, self._patience
            )

    def _open(self) -> bool:
        """Opens the input; returns False if the time limit or the work ended first."""
        now = time.monotonic()
        until = (self._since or now) + self._patience
        # Make at least one attempt, even after a slow start.
        timeout, self._since = max(until - now, _SILENCE), None
        reported = self._begin is not None
        while not self._stopped():
            try:
                self._open_now(timeout)
            except (FFmpegError, UserError) as error:
                self._close()
                late = time.monotonic() > until or not self._wanted.returns
                if late and self._begin is not None:
                    return False
                if late or isinstance(error, OptionNotFoundError):
                    raise UserError(
                        f"{self._wanted.name} cannot be opened: "
                        f"{ffmpeg_errors.describe(error)}; {self._wanted.advice}"
                    ) from error
                if not reported:
                    logger.info(
                        "%s is not available yet: %s",
                        self._wanted.name,
                        ffmpeg_errors.describe(error),
                    )
                reported = True
                time.sleep(_ATTEMPT)
                timeout = max(until - time.monotonic(), _ATTEMPT)
                continue
            if self._begin is not None:
                self.returned += 1
                logger.warning("%s returned", self._wanted.name)
            return True
        return False

    def _open_now(self, timeout: float) -> None:
        url = self._wanted.url
        if self._wanted.program:
            self._program = programs.receiver(url)
            assert self._program.stdout is not None
            url = f"pipe:{self._program.stdout.fileno()}"
        self._container = container = opening.open_input(
            url,
            format=self._wanted.format,
            options=dict(self._wanted.options),
            timeout=(timeout, _SILENCE),
        )
        video: Any = container.streams.best("video")
        if video is None or video.codec_context is None:
            raise UserError("it holds no video in a supported codec")
        self._video, context = video, video.codec_context
        # Frame threads would delay frames.
        context.thread_type = "SLICE"
        context.flags |= int(Flags.low_delay)
        kinds = {
            stream.index: f"{stream.type} {stream.name}" for stream in container.streams
        }
        self._kinds = self._kinds or kinds
        self._same = {i for i, kind in kinds.items() if self._kinds.get(i) == kind}

    def _until_it_stops(self) -> Iterator[tuple[av.VideoFrame | av.Packet, float]]:
        came: dict[int | None, float] = {}
        for packet in self.container.demux():
            if self._stopped():
                return
            moment = self._paced(packet)
            if packet.stream is not self.video:
                if packet.size and self._anchored(packet, moment):
                    yield packet, moment
                continue
            if packet.pts is not None:
                came[packet.pts] = moment
            try:
                frames = self.video.decode(packet if packet.size else None)
            except InvalidDataError:
                continue
            except EOFError:
                return
            for frame in frames:
                arrived = came.pop(frame.pts, moment)
                self._time(frame, arrived)
                yield frame, arrived
            while len(came) > 100:
                came.pop(next(iter(came)))

    def _paced(self, packet: av.Packet) -> float:
        """The time of arrival of a packet; for files, waits until its time has come."""
        now = time.monotonic()
        if not self._wanted.paced or packet.dts is None:
            return now
        if self._begin is None or self._offset is None:
            return now
        due = self._begin + float(packet.dts * packet.time_base) + self._offset
        while due > now and not self._stopped():
            time.sleep(min(due - now, 0.1))
            now = time.monotonic()
        return now

    def _offset_of(self, stamp: float, moment: float) -> float:
        if self._begin is None:
            self._begin = moment
        elapsed = moment - self._begin
        if self._offset is None or abs(stamp + self._offset - elapsed) > _JUMP:
            self._offset = elapsed - stamp
        return self._offset

    def _time(self, frame: av.VideoFrame, moment: float) -> None:
        """Sets the frame's timestamp, later than that of all frames before."""
        base = frame.time_base or self.video.time_base
        assert base is not None
        if frame.pts is None:
            elapsed = moment - (self._begin or moment)
            self._begin = self._begin or moment
        else:
            stamp = float(frame.pts * base)
            elapsed = stamp + self._offset_of(stamp, moment)
        ticks = max(round(elapsed / BASE), self._last.get(-1, -_APART) + _APART)
        frame.duration = round(frame.duration * base / BASE)
        frame.pts, frame.time_base = ticks, BASE
        self._last[-1] = ticks

    def _anchored(self, packet: av.Packet, moment: float) -> bool:
        """Shifts the packet's timestamps; returns whether they can be written."""
        base, stamp, index = packet.time_base, packet.dts, packet.stream_index
        if stamp is None or self._offset is None or index not in self._same:
            return False
        ticks = round(self._offset_of(float(stamp * base), moment) / base)
        if packet.pts is not None:
            packet.pts += ticks
        packet.dts = stamp = stamp + ticks
        before = self._last.get(index)
        if stamp < 0 or (before is not None and stamp <= before):
            return False
        self._last[index] = stamp
        return True

    def _close(self) -> None:
        if self._container is not None:
            self._container.close()
        programs.end(self._program)
        self._program = None
