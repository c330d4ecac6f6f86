"""Restores a video file."""

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
    ffmpeg_errors,
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
    """The work ended early; the part written so far is playable."""

    def __init__(self, reason: str, exit_status: int):
        super().__init__(reason)
        self.exit_status = exit_status


@dataclasses.dataclass(frozen=True)
class Report:
    """Statistics of a restored file."""

    frames: int
    seconds: float
    stages: list[pipeline.Stage]

    def __str__(self) -> str:
        rate = self.frames / self.seconds
        return (
            f"{self.frames:,} frames in {self.seconds:.1f} s, {rate:.1f} per second\n"
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
) -> Report:
    """Restores a video file to `out` and returns statistics.

    On a signal or a full disk, the file is completed up to that frame, and `Unfinished`
    says where it ends.
    """
    writing.check_target(out, overwrite)
    if out.exists() and source.exists() and out.samefile(source):
        raise UserError(f"{out} is the input itself: give another name")
    reader = Reader(source, start=start, duration=duration, threads=encoding.threads)
    writing.remove_leftovers(out)
    try:
        with atomic_files.atomic_write(out) as unfinished:
            try:
                return _restore(reader, unfinished, out, options, encoding, deinterlace)
            except Unfinished as end:
                stopped = end
        raise stopped
    finally:
        reader.close()


def _restore(reader, unfinished, out, options, encoding, deinterlace) -> Report:
    restoration = FieldwiseRestoration(options)
    others = {stream.index for stream in reader.container.streams}
    with Interruption() as interruption, logging_redirect_tqdm():
        items = reader.items(others, lambda: interruption.signal is not None)
        if deinterlace:
            items = fields.deinterlace(items)
        held, first = _until_a_frame(items)
        if first is None and interruption.signal:
            raise KeyboardInterrupt
        if first is None:
            raise UserError(f"{reader.path}: no frame can be decoded")
        if lost := hdr.dynamic(first):
            logger.warning("dynamic metadata is dropped: %s", " and ".join(lost))
        encoding = dataclasses.replace(encoding, hdr_metadata=hdr.of(first))
        target = writing.Target(str(unfinished), str(out))
        writer = writing.Writer(target, reader, restoration.prepare(first), encoding)
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
            if ffmpeg_errors.disk_is_full(error) and is_playable(unfinished):
                raise disk_full_error(
                    out,
                    unfinished,
                    "free some space, then restore the rest with --start",
                ) from error
            raise UserError(
                f"{out} cannot be completed: {ffmpeg_errors.describe(error)}; nothing "
                "was kept"
            ) from error
        finally:
            work.bar.close()
    for complaint in reader.complaints(interruption.signal is not None):
        logger.warning(complaint)
    if interruption.signal:
        raise Unfinished(
            f"{interruption.signal.name} at {timestamps.format_time(writer.reached)}: "
            f"{out} contains the video up to there",
            128 + interruption.signal,
        )
    return Report(writer.frames, time.perf_counter() - begin, stages)


@dataclasses.dataclass
class _Work:
    """The stages of the pipeline, which process frames and other packets."""

    restoration: FieldwiseRestoration
    writer: writing.Writer
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
        # After a signal, drop frames that are still waiting.
        return None if self.interruption.signal else self.restoration(item)

    def finish(self, _) -> None:
        """Flushes the encoder and completes the file."""
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


def is_playable(path: Path) -> bool:
    """Whether a possibly incomplete file contains a playable frame."""
    return _length(path) > 0


def _length(path: Path) -> Fraction:
    """The playable duration of a possibly incomplete file."""
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


def disk_full_error(out: Path, unfinished: Path, advice: str) -> Unfinished:
    """The error for a full disk, which says how much of the video was written."""
    return Unfinished(
        f"the disk is full: {out} contains the first "
        f"{timestamps.format_time(_length(unfinished))}; {advice}",
        1,
    )
