"""A video file becomes a restored one."""

import dataclasses
import itertools
import logging
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from kdsharp.base import atomic_files
from kdsharp.base.signals import Interruption
from kdsharp.errors import Stopped, UserError
from kdsharp.media.video import (
    failures,
    fields,
    hdr,
    pipeline,
    progress,
    timestamps,
    writing,
)
from kdsharp.media.video.encoding import Encoding
from kdsharp.media.video.fields import FieldwiseRestoration
from kdsharp.media.video.reading import Reader
from kdsharp.runtime.options import RestoreOptions

logger = logging.getLogger(__name__)


class Unfinished(Stopped):
    """Something ended the work; what was done until then can be played."""

    def __init__(self, reason: str, exit_status: int):
        super().__init__(reason)
        self.exit_status = exit_status


@dataclasses.dataclass(frozen=True)
class VideoReport:
    """What was done, and how long each stage took."""

    frames: int
    seconds: float
    stages: list[pipeline.Stage]

    def __str__(self) -> str:
        rate = self.frames / self.seconds
        return (
            f"{self.frames:,} frames in {self.seconds:.1f} s, {rate:.1f} a second\n"
            + progress.split(self.stages, self.frames, self.seconds)
        )


def restore(
    source: Path,
    out: Path,
    options: RestoreOptions = RestoreOptions(),  # noqa: B008 - frozen
    encoding: Encoding = Encoding(),  # noqa: B008 - frozen
    *,
    start: Fraction | None = None,
    duration: Fraction | None = None,
    deinterlace: bool = False,
    overwrite: bool = False,
) -> VideoReport:
    """Writes `out`, and returns what that took.

    A signal, or a full disk, ends the file there: it is whole up to that frame, and
    `Unfinished` says where.
    """
    writing.check_free(out, overwrite)
    if out.exists() and source.exists() and out.samefile(source):
        raise UserError(f"{out} is the video itself: give OUT another name")
    reader = Reader(source, start=start, duration=duration, threads=encoding.threads)
    writing.clear(out)
    try:
        with atomic_files.atomic_write(out) as unfinished:
            try:
                return _restore(reader, unfinished, out, options, encoding, deinterlace)
            except Unfinished as end:
                stopped = end
        raise stopped
    finally:
        reader.close()


def _restore(reader, unfinished, out, options, encoding, deinterlace) -> VideoReport:
    restoration = FieldwiseRestoration(options)
    others = {stream.index for stream in reader.container.streams}
    with Interruption() as interruption, logging_redirect_tqdm():
        items = reader.items(others, lambda: interruption.signal is not None)
        if deinterlace:
            items = fields.deinterlaced(items)
        held, first = _until_a_frame(items)
        if first is None and interruption.signal:
            raise KeyboardInterrupt
        if first is None:
            raise UserError(f"{reader.path}: none of its video can be decoded")
        if lost := hdr.dynamic(first):
            logger.warning("what %s says of each frame is left out", " and ".join(lost))
        encoding = dataclasses.replace(encoding, grading=hdr.of(first))
        target = writing.Target(str(unfinished), str(out))
        writer = writing.VideoWriter(
            target, reader, restoration.prepare(first), encoding
        )
        work = _Work(restoration, writer, progress.bar(reader.frames), interruption)
        begin = time.perf_counter()
        try:
            stages = pipeline.run(
                itertools.chain(held, [first], items), "decode", work.stages()
            )
            stages[-1].call = work.finish
            stages[-1].timed(None)
        except (OSError, av.FFmpegError) as error:
            writer.abandon()
            if failures.disk_is_full(error) and plays(unfinished):
                raise full(
                    out, unfinished, "make room, then do the rest by --start"
                ) from error
            raise UserError(
                f"{out} cannot be finished: {failures.words(error)}; nothing is written"
            ) from error
        finally:
            work.bar.close()
    for complaint in reader.complaints(interruption.signal is not None):
        logger.warning(complaint)
    if interruption.signal:
        raise Unfinished(
            f"{interruption.signal.name} at {timestamps.spelled(writer.reached)}: "
            f"{out} holds what was done until then",
            128 + interruption.signal,
        )
    return VideoReport(writer.frames, time.perf_counter() - begin, stages)


@dataclasses.dataclass
class _Work:
    """What the stages do, to frames and to what lies between them."""

    restoration: FieldwiseRestoration
    writer: writing.VideoWriter
    bar: tqdm.tqdm
    interruption: Interruption

    def stages(self) -> list[pipeline.Stage]:
        return [
            pipeline.Stage("restore", self._restore),
            pipeline.Stage("encode", self._write),
        ]

    def _restore(self, item):
        if not isinstance(item, av.VideoFrame):
            return item
        # What still waits is not begun.
        return None if self.interruption.signal else self.restoration(item)

    def finish(self, _) -> None:
        """Writes what is held back, and the file's end."""
        self.writer.finish()

    def _write(self, item) -> None:
        if item is None:
            return
        if isinstance(item, av.VideoFrame):
            self.writer.frame(item)
            self.bar.update()
        elif item.stream_index in self.writer.carried:
            self.writer.packet(item)


def _until_a_frame(items: Iterator) -> tuple[list[av.Packet], av.VideoFrame | None]:
    held = []
    for item in items:
        if isinstance(item, av.VideoFrame):
            return held, item
        held.append(item)
    return held, None


def plays(path: Path) -> bool:
    """Returns whether there is a frame in a file that may lack its end."""
    return _length(path) > 0


def _length(path: Path) -> Fraction:
    """Returns how long a file plays that may lack its end."""
    moment = Fraction(0)
    try:
        with av.open(str(path)) as container:
            video = container.streams.video[0]
            for packet in container.demux(video):
                if packet.pts is not None:
                    end = (packet.pts + (packet.duration or 1)) * packet.time_base
                    moment = max(moment, end)
    except (av.FFmpegError, IndexError):
        pass
    return moment


def full(out: Path, unfinished: Path, advice: str) -> Unfinished:
    """Returns what says how much of a video a full disk holds."""
    return Unfinished(
        f"the disk of {out} is full: it holds the first "
        f"{timestamps.spelled(_length(unfinished))}; {advice}",
        1,
    )
