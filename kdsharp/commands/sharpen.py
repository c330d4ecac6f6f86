"""`kdsharp sharpen`: pictures in, sharper pictures out."""

import contextlib
import gc
import logging
import os
import signal
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from kdsharp.base import terminal
from kdsharp.errors import UserError
from kdsharp.media import batch, names, pictures
from kdsharp.runtime.options import RestoreOptions

logger = logging.getLogger(__name__)

# What may lie between reading and writing, in pixels.
_ROOM = 60_000_000
_SEAM = 400


class Stopwatch:
    """Seconds by what they were spent on, from several threads."""

    def __init__(self):
        self.seconds: dict[str, float] = defaultdict(float)
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def spent(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            with self._lock:
                self.seconds[name] += time.perf_counter() - start


class Sharpening:
    """One call of the command."""

    def __init__(
        self,
        options: RestoreOptions,
        *,
        overwrite: bool,
        says_model: bool,
    ):
        self.stopwatch = Stopwatch()
        self.written: list[Path] = []
        self._says_model = says_model and not options.model
        self._options = options
        self._overwrite = overwrite
        self._claimed: set[Path] = set()

    def weigh(self, job: names.Job) -> int:
        """Returns how many pixels a job has, as its file claims."""
        if job.source is None:
            return 0
        width, height = pictures.size(job.source)
        return width * height

    def read(self, job: names.Job) -> tuple[pictures.Picture, Path | None]:
        """Returns the picture, and where it goes."""
        with self.stopwatch.spent("decode"):
            picture = pictures.read(
                job.source or sys.stdin.buffer.read(), animated=True
            )
        target = job.target_for(picture.details.format)
        if target is not None:
            self._claim(target)
            if self._options.compare:
                self._claim(names.comparison(target))
            if not job.exact and job.source and target.suffix != job.source.suffix:
                logger.info(
                    "%s is %s by its content: what comes of it is %s",
                    job.name,
                    picture.details.format,
                    target.name,
                )
        return picture, target

    def prepare(self):
        """Returns what sharpens; only now is JAX imported."""
        with self.stopwatch.spent("load"), _no_garbage():
            from kdsharp.base import compilation
            from kdsharp.runtime import restore

            compilation.enable_cache()
            sharpener = restore.create(self._options)
        amounts: dict[str, Any] = {
            "strength": self._options.strength,
            "unsharp": self._options.unsharp,
        }
        if self._says_model:
            logger.info("sharpening by %s, for photographs", sharpener.name)

        def compute(job: names.Job, found):
            picture, target = found
            with self.stopwatch.spent("network"), _tile_progress(job.name) as progress:
                sharp = sharpener(picture.pixels, **amounts, progress=progress)
                frames = tuple(sharpener(frame, **amounts) for frame in picture.frames)
            before = picture.pixels if self._options.compare else None
            made = pictures.Picture(sharp, picture.details, frames)
            return made, before, target

        return compute

    def write(self, job: names.Job, made) -> None:
        """Writes what was made of a picture."""
        sharp, before, target = made
        with self.stopwatch.spent("encode"):
            if target is None:
                kept = job.format_for(sharp.details.format)
                sys.stdout.buffer.write(pictures.encode(sharp, kept))
                sys.stdout.buffer.flush()
                return
            pictures.write(sharp, target, overwrite=self._overwrite)
            if before is not None:
                seam = beside(before, sharp.pixels)
                pictures.write(
                    pictures.Picture(seam, sharp.details),
                    names.comparison(target),
                    overwrite=self._overwrite,
                )
            self.written.append(target)

    def _claim(self, target: Path) -> None:
        pictures.format_of(target)
        if target in self._claimed:
            raise UserError(f"{target} is another picture's name already")
        self._claimed.add(target)
        if target.exists() and not self._overwrite:
            raise UserError(f"{target} exists: give another name, or --overwrite")
        if target.is_dir():
            raise UserError(f"{target} is a folder")


def run(
    inputs: Sequence[str],
    options: RestoreOptions,
    *,
    out: str | None,
    overwrite: bool,
    format_: str = "",
    megapixels: float,
    timing: bool,
) -> int:
    """Returns the exit status: 1 where a picture could not be sharpened."""
    began = time.perf_counter() - _seconds_since_start()
    signal.signal(signal.SIGTERM, _end)
    pictures.allow(megapixels)
    plan = names.plan(inputs, out, format_ and pictures.named_format(format_))
    jobs = plan.jobs
    if jobs[0].target is None:
        if options.compare:
            raise UserError("--compare writes a second file: name the first with -o")
        if sys.stdout.isatty():
            raise UserError("a terminal shows no picture: name a file with -o")
    sharpening = Sharpening(
        options,
        overwrite=overwrite,
        # What goes to standard output is piped on, without words.
        says_model=jobs[0].target is not None,
    )
    start = time.perf_counter() - began
    failed = _run(jobs, sharpening)
    total = time.perf_counter() - began
    if timing:
        _tell(sharpening.stopwatch.seconds, start, total)
    if sharpening.written:
        logger.info("wrote %s in %.1f s", _place(sharpening.written), total)
    if len(jobs) > 1 or plan.skipped:
        logger.info("%s", _summary(len(jobs), failed, plan.skipped))
    return 1 if failed else 0


def beside(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Returns the left half of one and the right half of the other, a seam between."""
    width = before.shape[1]
    middle, half = width // 2, max(1, width // (2 * _SEAM))
    joined = np.concatenate([before[:, :middle], after[:, middle:]], axis=1)
    integer = np.issubdtype(joined.dtype, np.integer)
    white = np.iinfo(joined.dtype).max if integer else 1
    joined[:, max(middle - half, 0) : middle + half] = white
    return joined


def _run(jobs: Sequence[names.Job], sharpening: Sharpening) -> int:
    """Returns how many pictures were not sharpened; a sentence tells why of each."""
    failed = 0
    # Of one picture, tiles are counted instead.
    bar = tqdm(
        total=len(jobs),
        desc="Sharpening",
        unit="picture",
        delay=1,
        leave=False,
        disable=None if len(jobs) > 1 else True,
    )
    with (
        bar,
        contextlib.closing(
            batch.run(
                jobs,
                weigh=sharpening.weigh,
                read=sharpening.read,
                prepare=sharpening.prepare,
                write=sharpening.write,
                room=_ROOM,
            )
        ) as done,
    ):
        for job, error in done:
            bar.update()
            if error is not None:
                failed += 1
                with tqdm.external_write_mode(sys.stderr):
                    terminal.fail(_sentence(job, error), 1)
    return failed


def _sentence(job: names.Job, error: BaseException) -> str:
    """Returns what went wrong with a picture, whatever it was."""
    words = str(error)
    if isinstance(error, UserError | OSError):
        return words if job.name in words else f"{job.name}: {words}"
    if isinstance(error, MemoryError):
        return f"{job.name}: it does not fit into memory"
    kind = type(error).__name__
    return f"{job.name}: it was not sharpened ({kind}{': ' if words else ''}{words})"


def _place(written: Sequence[Path]) -> str:
    """Returns the file, or how many there are and the folder that holds them all."""
    if len(written) == 1:
        return str(written[0])
    # Some may be absolute and others not.
    folders = [os.path.abspath(path.parent) for path in written]
    try:
        return f"{len(written)} pictures to {os.path.commonpath(folders)}"
    except ValueError:  # On Windows, there are several drives.
        return f"{len(written)} pictures"


def _summary(asked: int, failed: int, skipped: Sequence[Path]) -> str:
    """Returns how many pictures were made and refused, and what was no picture."""
    parts = [f"{asked - failed} of {asked} pictures sharpened"]
    if failed:
        parts.append(f"{failed} refused, for the reasons above")
    if skipped:
        kinds = Counter(path.suffix.lower() or "no ending" for path in skipped)
        told = ", ".join(f"{number} {kind}" for kind, number in kinds.most_common())
        are = (
            "file that is no picture"
            if len(skipped) == 1
            else ("files that are no pictures")
        )
        parts.append(f"skipped {len(skipped)} {are} ({told})")
    return "; ".join(parts)


@contextlib.contextmanager
def _no_garbage() -> Iterator[None]:
    """Lets what is made inside live as long as the process.

    Importing JAX makes so many objects that looking through them for garbage, again
    and again and once more at the end, takes 0.4 s.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextlib.contextmanager
def _tile_progress(name: str):
    """Yields what is told which part of a picture is done; a bar shows it."""
    bar = tqdm(
        total=100,
        desc=os.path.basename(name),
        delay=2,
        leave=False,
        disable=None,
        bar_format="{desc}: {percentage:3.0f} %|{bar}| {elapsed}<{remaining}",
    )
    with bar:
        yield lambda fraction: bar.update(100 * fraction - bar.n)


def _tell(seconds: dict[str, float], start: float, total: float) -> None:
    parts = {"start": start, **seconds}
    order = ("start", "load", "decode", "network", "encode")
    told = ", ".join(f"{name} {parts.get(name, 0):.2f}" for name in order)
    print(
        f"seconds: {told}; in all {total:.2f}, since decoding and encoding go on "
        "beside the rest",
        file=sys.stderr,
    )


def _seconds_since_start() -> float:
    """Returns how old this process is, where the system says so."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        return time.clock_gettime(time.CLOCK_BOOTTIME) - started
    except (OSError, ValueError, IndexError, AttributeError):
        return 0.0


def _end(number, frame) -> None:
    # As an exception, so that what is half written is removed.
    raise SystemExit(128 + number)
