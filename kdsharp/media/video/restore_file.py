"""Restores a video file."""

import dataclasses
import functools
import itertools
import logging
import signal
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import tqdm
from av.error import FFmpegError
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
    resuming,
    segments,
    timestamps,
    writing,
)
from kdsharp.media.video.encoding import Encoding
from kdsharp.media.video.fields import FieldwiseRestoration
from kdsharp.media.video.reading import Reader
from kdsharp.runtime.options import RestoreOptions

logger = logging.getLogger(__name__)

# Frames restored at the same time.
_PARALLEL = 2


class Unfinished(Stopped):
    """The work ended early; the part written so far may be `playable`."""

    def __init__(self, reason: str, exit_status: int, *, playable: bool):
        super().__init__(reason)
        self.exit_status = exit_status
        self.playable = playable


@dataclasses.dataclass(frozen=True)
class VideoReport:
    """Statistics of a restored file."""

    frames: int
    seconds: float
    stages: list[pipeline.Stage]
    kept: int = 0
    """The number of frames that an interrupted run had finished."""

    def __str__(self) -> str:
        made = self.frames - self.kept
        words = f"{made:,} frames in {self.seconds:.1f} s, {made / self.seconds:.1f}"
        before = f", after {self.kept:,} resumed ones" if self.kept else ""
        return f"{words} per second{before}\n" + progress.split(
            self.stages, self.frames, self.seconds
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
    resume: bool = False,
) -> VideoReport:
    """Restores a video file to `out` and returns statistics.

    On a signal or a full disk, the file is completed up to that frame, and `Unfinished`
    says where it ends. With `resume`, the file exists only once it is complete:
    finished segments are stored instead, and the same call resumes from them, even
    after the process was killed.
    """
    writing.check_target(out, overwrite)
    if out.exists() and source.exists() and out.samefile(source):
        raise UserError(f"{out} is the input itself: give another name")
    reader = Reader(source, start=start, duration=duration, threads=encoding.threads)
    writing.remove_leftovers(out)
    job = functools.partial(_restore, reader, out, options, encoding, deinterlace)
    try:
        if resume:
            wanted = resuming.parameters(
                source, options, encoding, start, duration, deinterlace
            )
            with (
                resuming.resumed(out, wanted) as kept,
                atomic_files.atomic_write(out, durable=True) as unfinished,
            ):
                return job(unfinished, kept)
        with atomic_files.atomic_write(out) as unfinished:
            try:
                return job(unfinished, None)
            except Unfinished as end:
                if not end.playable:
                    raise
                stopped = end
        raise stopped
    finally:
        reader.close()


def _restore(
    reader: Reader,
    out: Path,
    options: RestoreOptions,
    encoding: Encoding,
    deinterlace: bool,
    unfinished: Path,
    kept: segments.Folder | None,
) -> VideoReport:
    restoration = FieldwiseRestoration(options, _PARALLEL)
    others = {stream.index for stream in reader.container.streams}
    with Interruption() as interruption, logging_redirect_tqdm():
        items = reader.items(others, lambda: interruption.signal is not None)
        if deinterlace:
            items = fields.deinterlace(items)
        held, first = _until_a_frame(items)
        if first is None and interruption.signal:
            raise _interrupted(interruption.signal, _NOTHING, playable=False)
        if first is None:
            raise UserError(f"{reader.path}: no frame can be decoded")
        if lost := hdr.dynamic(first):
            logger.warning("dynamic metadata is dropped: %s", " and ".join(lost))
        encoding = dataclasses.replace(encoding, hdr_metadata=hdr.of(first))
        target = writing.Target(str(unfinished), str(out))
        prepared = restoration.prepare(first)
        writer = writing.VideoWriter(target, reader, prepared, encoding, kept)
        bar = progress.bar(reader.frames)
        work = _Work(restoration, writer, bar, interruption, kept)
        begin = time.perf_counter()
        try:
            stages = pipeline.run(
                itertools.chain(held, [first], items), "decode", work.stages()
            )
            if kept is not None and interruption.signal:
                writer.abandon()
            else:
                stages[-1].call = work.finish
                stages[-1].timed(None)
        except (OSError, FFmpegError) as error:
            writer.abandon()
            raise _failed(error, out, unfinished, kept) from error
        except BaseException:
            writer.abandon()
            raise
        finally:
            bar.close()
    for complaint in reader.complaints(interruption.signal is not None):
        logger.warning(complaint)
    if interruption.signal:
        state = _NOTHING
        if kept is not None:
            state = _kept(kept)
        elif writer.frames:
            reached = timestamps.format_time(writer.reached)
            state = f"{out} contains the video up to {reached}"
        playable = kept is None and writer.frames > 0
        raise _interrupted(interruption.signal, state, playable=playable)
    return VideoReport(
        writer.frames, time.perf_counter() - begin, stages, work.kept_frames
    )


_NOTHING = "no frame was finished, and nothing was written"


def _interrupted(number: signal.Signals, state: str, *, playable: bool) -> Unfinished:
    return Unfinished(f"{number.name}: {state}", 128 + number, playable=playable)


def _kept(kept: segments.Folder) -> str:
    """Says from where the same command resumes."""
    if not kept.kept:
        return f"fewer than {segments.FRAMES} frames were finished, and none is kept"
    frames = kept.kept * segments.FRAMES
    return f"{frames:,} frames are kept, and the same command resumes from there"


def _failed(
    error: Exception, out: Path, unfinished: Path, kept: segments.Folder | None
) -> Exception:
    """Describes why a file cannot be completed, and what is left of it."""
    full_disk = ffmpeg_errors.disk_is_full(error)
    if kept is not None and full_disk:
        words = f"the disk of {out} is full: free some space; {_kept(kept)}"
        return Unfinished(words, 1, playable=False)
    if full_disk and is_playable(unfinished):
        return disk_full_error(
            out, unfinished, "free some space, then restore the rest with --start"
        )
    state = "nothing was kept" if kept is None else _kept(kept)
    return UserError(
        f"{out} cannot be completed: {ffmpeg_errors.describe(error)}; {state}"
    )


@dataclasses.dataclass
class _Work:
    """The stages of the pipeline, which process frames and other packets."""

    restoration: FieldwiseRestoration
    writer: writing.VideoWriter
    bar: tqdm.tqdm
    interruption: Interruption
    kept: segments.Folder | None = None
    kept_frames: int = 0
    _frames: int = 0

    def stages(self) -> list[pipeline.Stage]:
        return [
            pipeline.Stage("prepare", self._start),
            # Waits for the network, which is already at work on the next frames.
            pipeline.Stage("restore", self._finish),
            pipeline.Stage("encode", self._write),
        ]

    def _start(self, item):
        if not isinstance(item, av.VideoFrame):
            return item
        if self.interruption.signal:
            # After a signal, drop frames that are still waiting.
            return None
        return item if self._is_kept() else self.restoration.start(item)

    def _finish(self, item):
        return item() if callable(item) else item

    def _is_kept(self) -> bool:
        """Whether the segment of the next frame is stored already."""
        if self.kept is None:
            return False
        number, place = divmod(self._frames, segments.FRAMES)
        self._frames += 1
        if not place:
            # The state of the network must not depend on other segments.
            self.restoration.start_sequence()
        found = self.kept.whole(number) is not None
        self.kept_frames += found
        return found

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
    except (FFmpegError, IndexError):
        pass
    return moment


def disk_full_error(out: Path, unfinished: Path, advice: str) -> Unfinished:
    """The error for a full disk, which says how much of the video was written."""
    return Unfinished(
        f"the disk is full: {out} contains the first "
        f"{timestamps.format_time(_length(unfinished))}; {advice}",
        1,
        playable=True,
    )
