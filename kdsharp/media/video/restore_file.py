"""A video file becomes a restored one."""

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


class Unfinished(Stopped):
    """Something ended the work; what was done until then may be `playable`."""

    def __init__(self, reason: str, exit_status: int, *, playable: bool):
        super().__init__(reason)
        self.exit_status = exit_status
        self.playable = playable


@dataclasses.dataclass(frozen=True)
class VideoReport:
    """What was done, and how long each stage took."""

    frames: int
    seconds: float
    stages: list[pipeline.Stage]
    kept: int = 0
    """So many of the frames were there from a run that was interrupted."""

    def __str__(self) -> str:
        made = self.frames - self.kept
        words = f"{made:,} frames in {self.seconds:.1f} s, {made / self.seconds:.1f}"
        before = f", after {self.kept:,} that were there" if self.kept else ""
        return f"{words} a second{before}\n" + progress.split(
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
    """Writes `out`, and returns what that took.

    A signal, or a full disk, ends the file there: it is whole up to that frame, and
    `Unfinished` says where. With `resume`, there is no file before it is whole: what
    is done is kept in segments, and the same call goes on from there, also after the
    process was killed.
    """
    writing.check_free(out, overwrite)
    if out.exists() and source.exists() and out.samefile(source):
        raise UserError(f"{out} is the video itself: give OUT another name")
    reader = Reader(source, start=start, duration=duration, threads=encoding.threads)
    writing.clear(out)
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
    restoration = FieldwiseRestoration(options)
    others = {stream.index for stream in reader.container.streams}
    with Interruption() as interruption, logging_redirect_tqdm():
        items = reader.items(others, lambda: interruption.signal is not None)
        if deinterlace:
            items = fields.deinterlaced(items)
        held, first = _until_a_frame(items)
        if first is None and interruption.signal:
            raise _interrupted(interruption.signal, _NOTHING, playable=False)
        if first is None:
            raise UserError(f"{reader.path}: none of its video can be decoded")
        if lost := hdr.dynamic(first):
            logger.warning("what %s says of each frame is left out", " and ".join(lost))
        encoding = dataclasses.replace(encoding, grading=hdr.of(first))
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
        except (OSError, av.FFmpegError) as error:
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
            state = (
                f"{out} holds what was done until {timestamps.spelled(writer.reached)}"
            )
        playable = kept is None and writer.frames > 0
        raise _interrupted(interruption.signal, state, playable=playable)
    return VideoReport(
        writer.frames, time.perf_counter() - begin, stages, work.kept_frames
    )


_NOTHING = "no frame was done, and nothing is written"


def _interrupted(number: signal.Signals, state: str, *, playable: bool) -> Unfinished:
    return Unfinished(f"{number.name}: {state}", 128 + number, playable=playable)


def _kept(kept: segments.Folder) -> str:
    """Returns from where the same command goes on."""
    if not kept.kept:
        return f"not yet {segments.FRAMES} frames were done, and none is kept"
    frames = kept.kept * segments.FRAMES
    return f"{frames:,} frames are kept, and the same command goes on from there"


def _failed(
    error: Exception, out: Path, unfinished: Path, kept: segments.Folder | None
) -> Exception:
    """Returns what says why a file cannot be finished, and what is left of it."""
    full_disk = failures.disk_is_full(error)
    if kept is not None and full_disk:
        words = f"the disk of {out} is full: make room; {_kept(kept)}"
        return Unfinished(words, 1, playable=False)
    if full_disk and plays(unfinished):
        return full(out, unfinished, "make room, then do the rest by --start")
    state = "nothing is written" if kept is None else _kept(kept)
    return UserError(f"{out} cannot be finished: {failures.words(error)}; {state}")


@dataclasses.dataclass
class _Work:
    """What the stages do, to frames and to what lies between them."""

    restoration: FieldwiseRestoration
    writer: writing.VideoWriter
    bar: tqdm.tqdm
    interruption: Interruption
    kept: segments.Folder | None = None
    kept_frames: int = 0
    _frames: int = 0

    def stages(self) -> list[pipeline.Stage]:
        return [
            pipeline.Stage("restore", self._restore),
            pipeline.Stage("encode", self._write),
        ]

    def _restore(self, item):
        if not isinstance(item, av.VideoFrame):
            return item
        if self.interruption.signal:
            # What still waits is not begun.
            return None
        return item if self._is_kept() else self.restoration(item)

    def _is_kept(self) -> bool:
        """Returns whether the next frame's segment is there already."""
        if self.kept is None:
            return False
        number, place = divmod(self._frames, segments.FRAMES)
        self._frames += 1
        if not place:
            # What a network remembers would be of another segment.
            self.restoration.start_sequence()
        found = self.kept.whole(number) is not None
        self.kept_frames += found
        return found

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
        playable=True,
    )
