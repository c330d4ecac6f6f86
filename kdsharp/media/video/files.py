"""A video file becomes a restored one."""

import dataclasses
import itertools
import logging
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av

from kdsharp import whole_files
from kdsharp.errors import Stopped, UserError
from kdsharp.media.video import clock, failures, pipeline, progress, writing
from kdsharp.media.video.encoding import Encoding
from kdsharp.media.video.reading import Reader
from kdsharp.media.video.restoring import Restoration, Restoring
from kdsharp.training.interruption import Interruption

logger = logging.getLogger(__name__)


class Unfinished(Stopped):
    """Something ended the work; what was done until then can be played."""

    def __init__(self, reason: str, exit_status: int):
        super().__init__(reason)
        self.exit_status = exit_status


@dataclasses.dataclass(frozen=True)
class Report:
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
    restoring: Restoring = Restoring(),  # noqa: B008 - frozen
    encoding: Encoding = Encoding(),  # noqa: B008 - frozen
    *,
    start: Fraction | None = None,
    duration: Fraction | None = None,
    overwrite: bool = False,
) -> Report:
    """Writes `out`, and returns what that took.

    A signal, or a full disk, ends the file there: it is whole up to that frame, and
    `Unfinished` says where.
    """
    writing.check_free(out, overwrite)
    if out.exists() and source.exists() and out.samefile(source):
        raise UserError(f"{out} is the video itself: give OUT another name")
    reader = Reader(source, start=start, duration=duration, threads=encoding.threads)
    try:
        with whole_files.whole(out) as unfinished:
            return _restore(reader, unfinished, out, restoring, encoding)
    finally:
        reader.close()


def _restore(reader, unfinished, out, restoring, encoding) -> Report:
    restoration = Restoration(restoring)
    others = {stream.index for stream in reader.container.streams}
    with Interruption() as interruption:
        items = reader.items(others, lambda: interruption.signal is not None)
        held, first = _until_a_frame(items)
        if first is None:
            raise UserError(f"{reader.path}: none of its video can be decoded")
        first = restoration.prepare(first)
        writer = writing.Writer(unfinished, reader, first, encoding)
        bar = progress.bar(reader.frames)

        def restored(item):
            return restoration(item) if isinstance(item, av.VideoFrame) else item

        def written(item):
            if isinstance(item, av.VideoFrame):
                writer.frame(item)
                bar.update()
            elif item.stream.index in writer.carried:
                writer.packet(item)

        begin = time.perf_counter()
        try:
            stages = pipeline.run(
                itertools.chain(held, [first], items),
                "decode",
                [
                    pipeline.Stage("restore", restored),
                    pipeline.Stage("encode", written),
                ],
                lambda: None,
            )
            stages[-1].call = lambda _: writer.finish()
            stages[-1].timed(None)
        finally:
            bar.close()
        report = Report(writer.frames, time.perf_counter() - begin, stages)
    return report


def _until_a_frame(items: Iterator) -> tuple[list[av.Packet], av.VideoFrame | None]:
    held = []
    for item in items:
        if isinstance(item, av.VideoFrame):
            return held, item
        held.append(item)
    return held, None
