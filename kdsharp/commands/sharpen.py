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

import numpy as np
from tqdm import tqdm

from kdsharp.base import terminal
from kdsharp.errors import UserError
from kdsharp.media import bands, batch, names, pictures

logger = logging.getLogger(__name__)

# What may lie between reading and writing, in pixels.
_ROOM = 60_000_000
# From so many pixels on, a picture is read, restored and written in bands.
_LARGE = 40_000_000
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
        *,
        model: str,
        strength: float,
        unsharp: float,
        compare: bool,
        overwrite: bool,
        backend: str,
        threads: int,
        says_model: bool,
    ):
        self.stopwatch = Stopwatch()
        self._model = model
        self._says_model = says_model and not model
        self._options = {"strength": strength, "unsharp": unsharp}
        self._compare = compare
        self._overwrite = overwrite
        self._means = {"backend": backend, "threads": threads}
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
            picture = self._rows(job) or pictures.read(
                job.source or sys.stdin.buffer.read(), animated=True
            )
        target = job.target_for(picture.details.format)
        if target is not None:
            self._claim(target)
            if self._compare:
                self._claim(names.comparison(target))
            if not job.exact and job.source and target.suffix != job.source.suffix:
                logger.info(
                    "%s is %s by its content: what comes of it is %s",
                    job.name,
                    picture.details.format,
                    target.name,
                )
        return picture, target

    def _rows(self, job: names.Job) -> bands.Rows | None:
        """Returns the rows of a picture that is too large to be in memory whole."""
        if job.source is None or self._compare or self.weigh(job) < _LARGE:
            return None
        rows = bands.open_rows(job.source)
        if rows is None or (target := job.target_for(rows.details.format)) is None:
            return None
        return rows if pictures.format_of(target) in bands.FORMATS else None

    def prepare(self):
        """Returns what sharpens; only now is JAX imported."""
        with self.stopwatch.spent("load"), _no_garbage():
            from kdsharp.base import compilation
            from kdsharp.runtime import restore

            restore.check_strength(self._options["strength"])
            restore.check_unsharp(self._options["unsharp"])
            compilation.enable_cache()
            sharpener = restore.load(self._model, **self._means)
        if self._says_model:
            logger.info("sharpening by %s, for photographs", sharpener.name)

        def compute(job: names.Job, found):
            picture, target = found
            if isinstance(picture, bands.Rows):
                self._write_rows(job, picture, sharpener, target)
                return None
            with self.stopwatch.spent("network"), _tile_progress(job.name) as progress:
                sharp = sharpener(picture.pixels, **self._options, progress=progress)
                frames = tuple(
                    sharpener(frame, **self._options) for frame in picture.frames
                )
            before = picture.pixels if self._compare else None
            made = pictures.Picture(sharp, picture.details, frames)
            return made, before, target

        return compute

    def write(self, job: names.Job, made) -> None:
        """Writes what was made of a picture."""
        if made is None:  # It was written as it was made.
            return
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

    def _write_rows(self, job: names.Job, rows: bands.Rows, sharpener, target) -> None:
        with self.stopwatch.spent("network"), _tile_progress(job.name) as progress:
            sharp = sharpener.bands(rows, **self._options, progress=progress)
            format_ = pictures.format_of(target)
            bands.write(target, format_, rows, sharp, overwrite=self._overwrite)

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
    *,
    out: str | None,
    model: str,
    strength: float,
    unsharp: float,
    compare: bool,
    overwrite: bool,
    format_: str = "",
    megapixels: float,
    backend: str,
    threads: int,
    timing: bool,
) -> int:
    """Returns the exit status: 1 where a picture could not be sharpened."""
    began = time.perf_counter() - _seconds_since_start()
    signal.signal(signal.SIGTERM, _end)
    pictures.allow(megapixels)
    plan = names.plan(inputs, out, format_ and pictures.named_format(format_))
    jobs = plan.jobs
    if jobs[0].target is None:
        if compare:
            raise UserError("--compare writes a second file: name the first with -o")
        if sys.stdout.isatty():
            raise UserError("a terminal shows no picture: name a file with -o")
    sharpening = Sharpening(
        model=model,
        strength=strength,
        unsharp=unsharp,
        compare=compare,
        overwrite=overwrite,
        backend=backend,
        threads=threads,
        # What goes to standard output is piped on, without words.
        says_model=jobs[0].target is not None,
    )
    start = time.perf_counter() - began
    failed = _run(jobs, sharpening)
    if timing:
        _tell(sharpening.stopwatch.seconds, start, time.perf_counter() - began)
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


def _sentence(job: names.Job, error: Exception) -> str:
    """Returns what went wrong with a picture, whatever it was."""
    words = str(error)
    if isinstance(error, UserError | OSError):
        return words if job.name in words else f"{job.name}: {words}"
    if isinstance(error, MemoryError):
        return f"{job.name}: it does not fit into memory"
    kind = type(error).__name__
    return f"{job.name}: it was not sharpened ({kind}{': ' if words else ''}{words})"


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
