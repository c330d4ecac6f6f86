"""A live stream is restored while it comes in."""

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
from tqdm.contrib.logging import logging_redirect_tqdm

from kdsharp.base import atomic_files
from kdsharp.base.signals import Interruption
from kdsharp.errors import UserError
from kdsharp.media.video import failures, pipeline, progress, restore_file, writing
from kdsharp.media.video.encoding import Encoding
from kdsharp.media.video.fields import FieldwiseRestoration
from kdsharp.media.video.live import inputs, outputs, programs
from kdsharp.media.video.live.latency import Latency
from kdsharp.media.video.live.newest import Newest
from kdsharp.media.video.live.reading import Arrivals
from kdsharp.runtime.options import RestoreOptions

logger = logging.getLogger(__name__)

# Seconds: how often the display is renewed, how long a lost receiver is left alone,
# and how long a reader that waits for a packet is waited for.
_GLANCE, _RETRY, _PATIENCE = 0.2, 1.0, 1.0


@dataclasses.dataclass(frozen=True)
class LiveReport:
    """What was done, what was not, and how long it took."""

    frames: int
    dropped: int
    returned: int
    seconds: float
    latency: Latency
    stages: list[pipeline.Stage]

    def __str__(self) -> str:
        rate = self.frames / self.seconds if self.seconds else 0
        words = (
            f"{self.frames:,} frames in {self.seconds:.1f} s, {rate:.1f} a second, "
            f"{self.dropped:,} dropped; {self.latency}"
        )
        if self.returned:
            words += f"; the input returned {self.returned} times"
        return f"{words}\n" + progress.split(self.stages, self.frames, self.seconds)


class Live:
    """Three threads: one reads, one restores, one writes; none waits for a frame
    that is not the newest."""

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
        self._restoration = FieldwiseRestoration(options)
        self._stop = threading.Event()
        self._arrivals = Arrivals(source, patience, self._stop.is_set, since)
        self._came, self._done = Newest(), Newest()
        self._writer: writing.VideoWriter | None = None
        self._program: subprocess.Popen | None = None
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
        """Frames that came and did not go out."""
        return self._came.dropped + self._done.dropped + self.lost

    @property
    def returned(self) -> int:
        """How often the input stopped and came back."""
        return self._arrivals.returned

    def run(self, glance: Callable[[], bool]) -> None:
        """Returns at the end, or when `glance`, called now and then, says stop."""
        for thread in self._threads:
            thread.start()
        reader, *others = self._threads
        try:
            while any(thread.is_alive() for thread in self._threads):
                self._threads[-1].join(_GLANCE)
                if glance() or self._failure or not self._threads[-1].is_alive():
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
        if self._failure:
            raise self._failure

    def _guarded(self, call: Callable[[], None], following: Newest | None) -> None:
        try:
            call()
        except BaseException as failure:
            self._failure = self._failure or failure
            self._stop.set()
        finally:
            if following:
                following.end()

    def _read(self) -> None:
        # Reading is mostly waiting, which is no work: no time is taken here.
        for item, moment in self._arrivals.items():
            if not isinstance(item, av.VideoFrame):
                if self._writer:
                    self._done.add(item)
                continue
            if self.first is None:
                # What comes while the network is made ready waits in its queue.
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
        """Returns whether this is but a window that somebody closed."""
        return self._output.kind == "window" and isinstance(error, BrokenPipeError)

    def _attempt(self, packets: list, timed: tuple | None) -> None:
        """Writes; an address that fails is given time, and begun anew."""
        if (writer := self._writer) is None:
            self.lost += timed is not None
            return
        try:
            if timed:
                self.stages[1].timed(writer, *timed)
            for packet in packets:
                if packet.stream_index in writer.carried:
                    writer.packet(packet)
        except (OSError, av.FFmpegError) as error:
            if self._is_closed(error):
                writer.abandon()
                self._writer = None
                self._stop.set()
            elif not self._output.returns:
                raise
            else:
                self._lose(failures.words(error))

    def _lose(self, reason: str) -> None:
        logger.warning("%s is lost (%s): trying again", self._output.name, reason)
        self._writer.abandon()
        programs.end(self._program)
        self._not_before = time.monotonic() + _RETRY
        self._writer = self._program = None

    def _put_out(
        self, writer: writing.VideoWriter, frame: av.VideoFrame, moment: float
    ) -> None:
        keys = writer.frame(frame)
        self.latency.came(frame.pts, moment)
        now = time.monotonic()
        for key in keys:
            self.latency.went(key, now)
        self.frames += 1

    def _begin(self) -> None:
        """Opens the output; done by who reads, whose streams it is made after."""
        url = self._output.url
        if self._output.kind == "window":
            self._program = programs.window(self._output.name)
        elif self._output.kind == "program":
            self._program = programs.sender(url)
        if self._program:
            url = f"pipe:{self._program.stdin.fileno()}"
        target = writing.Target(
            url,
            self._output.name,
            self._output.format,
            self._output.options,
            "check the address, or the device, and that somebody listens",
        )
        try:
            self._writer = writing.VideoWriter(
                target, self._arrivals, self._like, self._encoding
            )
        except UserError:
            # Who was there at the beginning may come back.
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
    """Restores until the stream ends, `duration` is over, or a signal comes.

    A file is whole up to that frame, as is one whose disk is full. `patience` counts
    from the call on.
    """
    since = time.monotonic()
    if not 0 <= patience < math.inf:
        raise UserError(f"--patience is {patience:g}: give seconds, 0 or more")
    found = inputs.find(source, input_format, input_options or {})
    output = outputs.find(out, output_format)
    with contextlib.ExitStack() as stack:
        stopped = None
        if output.kind == "file":
            writing.check_free(Path(output.url), overwrite)
        if found.returns:
            logger.info("waiting for %s, %g s at most", found.name, patience)
        if output.kind == "file":
            path = Path(output.url)
            writing.clear(path)
            unfinished = stack.enter_context(atomic_files.atomic_write(path))
            output = dataclasses.replace(output, url=str(unfinished))
        try:
            report = _watched(
                Live(found, output, options, encoding, patience, since), duration
            )
        except (OSError, av.FFmpegError) as error:
            full = output.kind == "file" and failures.disk_is_full(error)
            if not full or not restore_file.plays(unfinished):
                raise UserError(f"{out} fails: {failures.words(error)}") from error
            stopped = restore_file.full(
                path, unfinished, "make room, and begin another"
            )
    if stopped:
        raise stopped
    return report


def _watched(live: Live, duration: float | None) -> LiveReport:
    """Runs it under the eyes of a person: signals, and a line that tells how it is."""
    bar = tqdm.tqdm(bar_format="{desc}", disable=None, mininterval=0)
    with Interruption() as interruption, logging_redirect_tqdm(), bar:

        def glance() -> bool:
            bar.set_description_str(_line(live))
            over = duration is not None and live.first is not None
            return interruption.signal is not None or (
                over and time.monotonic() - live.first >= duration
            )

        live.run(glance)
    if live.first is None and interruption.signal:
        raise KeyboardInterrupt
    if live.first is None:
        raise UserError(f"{live.name}: no frame came")
    seconds = time.monotonic() - (live.first or time.monotonic())
    return LiveReport(
        live.frames,
        live.dropped,
        live.returned,
        seconds,
        live.latency,
        live.stages,
    )


def _line(live: Live) -> str:
    if live.first is None:
        return "waiting for the first frame"
    seconds = max(time.monotonic() - live.first, 1e-3)
    return (
        f"{seconds:.0f} s, {live.frames / seconds:.1f} frames a second, "
        f"{live.dropped} dropped, {live.latency}"
    )
