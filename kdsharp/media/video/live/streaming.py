"""Restores a live stream."""

import contextlib
import dataclasses
import logging
import math
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import av
import tqdm
from av.error import FFmpegError
from tqdm.contrib.logging import logging_redirect_tqdm

from kdsharp.base import atomic_files
from kdsharp.base.signals import Interruption
from kdsharp.errors import UserError
from kdsharp.media.video import ffmpeg_errors, pipeline, progress, restore_file, writing
from kdsharp.media.video.encoding import Encoding
from kdsharp.media.video.live import cameras, inputs, outputs, programs, window
from kdsharp.media.video.live.adjusting import AdjustableRestoration
from kdsharp.media.video.live.latency import Latency
from kdsharp.media.video.live.latest_frame import LatestFrame
from kdsharp.media.video.live.reading import Arrivals
from kdsharp.runtime.options import RestoreOptions

logger = logging.getLogger(__name__)

# Seconds: the interval of the status line, the delay before reconnecting to a receiver,
# and the time limit for the reading thread to end.
_POLL, _RETRY, _PATIENCE = 0.2, 1.0, 1.0


@dataclasses.dataclass(frozen=True)
class LiveReport:
    """Statistics of a live run."""

    frames: int
    dropped: int
    returned: int
    seconds: float
    latency: Latency
    stages: list[pipeline.Stage]

    def __str__(self) -> str:
        rate = self.frames / self.seconds if self.seconds else 0
        words = (
            f"{self.frames:,} frames in {self.seconds:.1f} s, {rate:.1f} per second, "
            f"{self.dropped:,} dropped; {self.latency}"
        )
        if self.returned:
            words += f"; the input reconnected {self.returned} times"
        return f"{words}\n" + progress.split(self.stages, self.frames, self.seconds)


class Live:
    """Three threads that read, restore and write, always the newest frame."""

    def __init__(
        self,
        source: inputs.Input,
        output: outputs.Output,
        options: RestoreOptions,
        encoding: Encoding,
        patience: float,
        since: float | None = None,
    ):
        self.name = source.name
        self._output = output
        self._encoding = outputs.encoding(output, encoding)
        self._restoration = AdjustableRestoration(options)
        self._stop = threading.Event()
        self._arrivals = Arrivals(source, patience, self._stop.is_set, since)
        self._came, self._done = LatestFrame(), LatestFrame()
        self._writer: writing.VideoWriter | cameras.CameraWriter | None = None
        self._program: subprocess.Popen | None = None
        self._window: window.Window | None = None
        self._like: av.VideoFrame | None = None
        self._not_before = 0.0
        self._failure: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._guarded, args=(call, end), daemon=True)
            for call, end in (
                (self._read, self._came),
                (self._restore, self._done),
                (self._write, None),
            )
        ]
        self.latency = Latency()
        self.frames = self.lost = 0
        self.first: float | None = None
        self.stages = [
            pipeline.Stage("restore", self._restoration),
            pipeline.Stage("encode", self._put_out),
        ]

    @property
    def dropped(self) -> int:
        """The number of frames that came in and did not go out."""
        return self._came.dropped + self._done.dropped + self.lost

    @property
    def returned(self) -> int:
        """How often the input was interrupted and came back."""
        return self._arrivals.returned

    def run(self, poll: Callable[[], bool]) -> None:
        """Runs until the end, or until `poll` (called periodically) is true."""
        for thread in self._threads:
            thread.start()
        reader, *others = self._threads
        try:
            while any(thread.is_alive() for thread in self._threads):
                self._threads[-1].join(_POLL)
                if poll() or self._failure or not self._threads[-1].is_alive():
                    break
        finally:
            self._stop.set()
            reader.join(_PATIENCE)
            if reader.is_alive():
                self._arrivals.cut()
                reader.join(_PATIENCE)
            self._came.end()
            for thread in others:
                thread.join()
            programs.end(self._program)
            if self._window:
                self._window.close()
            self._restoration.close()
        if self._failure:
            raise self._failure

    def _guarded(self, call: Callable[[], None], following: LatestFrame | None) -> None:
        try:
            call()
        except BaseException as failure:
            self._failure = self._failure or failure
            self._stop.set()
        finally:
            if following:
                following.end()

    def _read(self) -> None:
        # Reading is not timed, because it mostly waits.
        for item, moment in self._arrivals.items():
            if not isinstance(item, av.VideoFrame):
                if self._writer:
                    self._done.add(item)
                continue
            if self.first is None:
                # Frames that arrive while the network compiles stay in the queue.
                self._like = self._restoration.prepare(item)
                self._begin()
                self._arrivals.start()
                self.first = moment = time.monotonic()
            elif self._writer is None and moment >= self._not_before:
                self._begin()
            self._came.put((item, moment))

    def _restore(self) -> None:
        while (taken := self._came.take()) is not None:
            frame, moment = taken[1]
            self._done.put((self.stages[0].timed(frame), moment))

    def _write(self) -> None:
        try:
            while (taken := self._done.take()) is not None:
                packets, timed = taken
                self._attempt(packets, timed)
            if self._writer:
                self._writer.finish()
        except BaseException as error:
            if self._writer:
                self._writer.abandon()
            if not self._is_closed(error):
                raise

    def _is_closed(self, error: BaseException) -> bool:
        """Whether the error only means that the window was closed."""
        return self._output.kind == "window" and isinstance(error, BrokenPipeError)

    def _attempt(self, packets: list, timed: tuple | None) -> None:
        """Writes; if an address fails, closes it and retries later."""
        if (writer := self._writer) is None:
            self.lost += timed is not None
            return
        try:
            if timed:
                self.stages[1].timed(writer, *timed)
            for packet in packets:
                if packet.stream_index in writer.carried:
                    writer.packet(packet)
        except (OSError, FFmpegError) as error:
            if self._is_closed(error):
                writer.abandon()
                self._writer = None
                self._stop.set()
            elif not self._output.returns:
                raise
            else:
                self._lose(ffmpeg_errors.describe(error))

    def _lose(self, reason: str) -> None:
        logger.warning("%s failed (%s): reconnecting", self._output.name, reason)
        if self._writer:
            self._writer.abandon()
        programs.end(self._program)
        self._not_before = time.monotonic() + _RETRY
        self._writer = self._program = None

    def _put_out(
        self, writer: writing.VideoWriter, frame: av.VideoFrame, moment: float
    ) -> None:
        keys = writer.frame(frame)
        assert frame.pts is not None
        self.latency.arrived(frame.pts, moment)
        now = time.monotonic()
        for key in keys:
            self.latency.left(key, now)
        self.frames += 1

    def show(self, status: str) -> None:
        """Shows the status in the title of the window, if that has one."""
        if self._window:
            self._window.set_title(f"{status}, {self._restoration}")

    def _opened_window(self) -> subprocess.Popen:
        if not window.installed():
            logger.info("install mpv for a window with keys; this one has none")
            return programs.window(self._output.name)
        logger.info("keys: space compares, left and right change the strength, q quits")
        self._window = window.Window(self._output.name, self._restoration.press)
        return self._window.process

    def _begin(self) -> None:
        """Opens the output; called by the reading thread, whose streams it needs."""
        assert self._like is not None
        url = self._output.url
        if self._output.kind == "camera":
            rate = float(self._arrivals.rate)
            self._writer = cameras.CameraWriter(self._like, rate)
            logger.info("choose %s as the camera of a call", self._writer.device)
            return
        if self._output.kind == "window":
            self._program = self._opened_window()
        elif self._output.kind == "program":
            self._program = programs.sender(url)
        if self._program and self._program.stdin:
            url = f"pipe:{self._program.stdin.fileno()}"
        target = writing.Target(
            url,
            self._output.name,
            self._output.format,
            self._output.options,
            "check the address or the device, and that the receiver is running",
        )
        try:
            self._writer = writing.VideoWriter(
                target, self._arrivals, self._like, self._encoding
            )
        except UserError:
            # A receiver that was there at the start may come back.
            if self.first is None:
                raise
            programs.end(self._program)
            self._program = None
            self._not_before = time.monotonic() + _RETRY


def restore(
    source: str,
    out: str,
    options: RestoreOptions,
    encoding: Encoding,
    *,
    input_format: str | None = None,
    input_options: dict[str, str] | None = None,
    output_format: str | None = None,
    duration: float | None = None,
    patience: float = 30.0,
    overwrite: bool = False,
) -> LiveReport:
    """Restores until the stream ends, `duration` has passed, or a signal arrives.

    An output file is complete up to that frame, also if the disk is full. `patience` is
    the time limit for the input, counted from the call.
    """
    since = time.monotonic()
    if not 0 <= patience < math.inf:
        raise UserError(f"--patience must be at least 0 seconds, not {patience:g}")
    found = inputs.find(source, input_format, input_options or {})
    output = outputs.find(out, output_format)
    with contextlib.ExitStack() as stack:
        stopped = None
        if output.kind == "file":
            writing.check_target(Path(output.url), overwrite)
        if found.returns:
            logger.info("waiting for %s, %g s at most", found.name, patience)
        if output.kind == "file":
            path = Path(output.url)
            writing.remove_leftovers(path)
            unfinished = stack.enter_context(atomic_files.atomic_write(path))
            output = dataclasses.replace(output, url=str(unfinished))
        try:
            report = _run_with_status(
                Live(found, output, options, encoding, patience, since), duration
            )
        except (OSError, FFmpegError) as error:
            full = output.kind == "file" and ffmpeg_errors.disk_is_full(error)
            if not full or not restore_file.is_playable(unfinished):
                raise UserError(
                    f"{out} fails: {ffmpeg_errors.describe(error)}"
                ) from error
            stopped = restore_file.disk_full_error(
                path, unfinished, "free some space and start again"
            )
    if stopped:
        raise stopped
    return report


def _run_with_status(live: Live, duration: float | None) -> LiveReport:
    """Runs with signal handling and a status line."""
    bar = tqdm.tqdm(bar_format="{desc}", disable=None, mininterval=0)
    with Interruption() as interruption, logging_redirect_tqdm(), bar:

        def poll() -> bool:
            bar.set_description_str(_status_line(live))
            live.show(_title(live))
            if interruption.signal is not None:
                return True
            if duration is None or live.first is None:
                return False
            return time.monotonic() - live.first >= duration

        live.run(poll)
    if live.first is None and interruption.signal:
        raise KeyboardInterrupt
    if live.first is None:
        raise UserError(f"{live.name}: no frame was received")
    seconds = time.monotonic() - (live.first or time.monotonic())
    return LiveReport(
        live.frames,
        live.dropped,
        live.returned,
        seconds,
        live.latency,
        live.stages,
    )


def _title(live: Live) -> str:
    median = live.latency.median
    took = "" if math.isnan(median) else f"{1000 * median:.0f} ms, "
    return f"{took}{live.dropped} dropped"


def _status_line(live: Live) -> str:
    if live.first is None:
        return "waiting for the first frame"
    seconds = max(time.monotonic() - live.first, 1e-3)
    return (
        f"{seconds:.0f} s, {live.frames / seconds:.1f} frames per second, "
        f"{live.dropped} dropped, {live.latency}"
    )
