"""`kdsharp sharpen`: sharpens pictures."""

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
from kdsharp.media import bands, output_paths, pictures, read_ahead
from kdsharp.runtime.options import RestoreOptions

logger = logging.getLogger(__name__)

# Decoded pixels that may be held in memory at once.
_MAX_PIXELS = 60_000_000
# Pictures of more pixels are read, restored and written in bands of rows.
_LARGE = 40_000_000
# The seam of a comparison is a 400th of the width.
_SEAM = 400


class Stopwatch:
    """Adds up the seconds spent on named tasks, across threads."""

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
    """The steps of one call of the command: read, restore, write."""

    def __init__(
        self,
        options: RestoreOptions,
        *,
        overwrite: bool,
        logs_model: bool,
    ):
        self.stopwatch = Stopwatch()
        self.written: list[Path] = []
        self._logs_model = logs_model and not options.model
        self._options = options
        self._overwrite = overwrite
        self._claimed: set[Path] = set()

    def pixel_count(self, job: output_paths.Job) -> int:
        """Number of pixels of a job's picture, according to its file header."""
        if job.source is None:
            return 0
        width, height = pictures.size(job.source)
        return width * height

    def read(
        self, job: output_paths.Job
    ) -> tuple[pictures.Picture | bands.Rows, Path | None]:
        """Reads the picture of a job; returns it with its target path."""
        with self.stopwatch.spent("decode"):
            picture = self._rows(job) or pictures.read(
                job.source or sys.stdin.buffer.read(), animated=True
            )
        target = job.target_for(picture.metadata.format)
        if target is not None:
            self._claim(target)
            if self._options.compare:
                self._claim(output_paths.comparison(target))
            is_renamed = job.source and target.suffix != job.source.suffix
            if is_renamed and not (job.exact or job.format):
                logger.info(
                    "%s contains %s data: writing %s",
                    job.name,
                    picture.metadata.format,
                    target.name,
                )
        return picture, target

    def _rows(self, job: output_paths.Job) -> bands.Rows | None:
        """Opens a large picture to be read in bands, if it can be."""
        if (
            job.source is None
            or self._options.compare
            or self.pixel_count(job) < _LARGE
        ):
            return None
        rows = bands.open_rows(job.source)
        if rows is None or (target := job.target_for(rows.metadata.format)) is None:
            return None
        return rows if rows.can_become(pictures.format_of(target)) else None

    def prepare(self):
        """Loads the network and returns the function that sharpens.

        JAX is imported here, so that decoding starts before.
        """
        with self.stopwatch.spent("load"), _paused_gc():
            from kdsharp.base import compilation
            from kdsharp.runtime import restore

            compilation.enable_cache()
            sharpener = restore.create(self._options)
        amounts: dict[str, Any] = {
            "strength": self._options.strength,
            "unsharp": self._options.unsharp,
        }
        if self._logs_model:
            logger.info("sharpening with %s, for photographs", sharpener.name)

        def compute(job: output_paths.Job, found):
            picture, target = found
            if isinstance(picture, bands.Rows):
                self._restore_rows(
                    job,
                    picture,
                    lambda progress: sharpener.bands(
                        picture, **amounts, progress=progress
                    ),
                    target,
                )
                return None
            with self.stopwatch.spent("network"), _tile_progress(job.name) as progress:
                sharp = sharpener(picture.pixels, **amounts, progress=progress)
                frames = tuple(sharpener(frame, **amounts) for frame in picture.frames)
            before = picture.pixels if self._options.compare else None
            return pictures.Picture(sharp, picture.metadata, frames), before, target

        return compute

    def write(self, job: output_paths.Job, computed) -> None:
        """Writes a sharpened picture, and the comparison if requested."""
        if computed is None:  # It was written in bands.
            return
        sharp, before, target = computed
        with self.stopwatch.spent("encode"):
            if target is None:
                kept = job.format_for(sharp.metadata.format)
                sys.stdout.buffer.write(pictures.encode(sharp, kept))
                sys.stdout.buffer.flush()
                return
            pictures.write(sharp, target, overwrite=self._overwrite)
            if before is not None:
                seam = split_view(before, sharp.pixels)
                pictures.write(
                    pictures.Picture(seam, sharp.metadata),
                    output_paths.comparison(target),
                    overwrite=self._overwrite,
                )
            self.written.append(target)

    def _restore_rows(
        self, job: output_paths.Job, rows: bands.Rows, restored, target
    ) -> None:
        """Writes a picture while it is restored, and restores it while it is read."""
        with self.stopwatch.spent("network"), _tile_progress(job.name) as progress:
            bands.write(
                target,
                pictures.format_of(target),
                rows,
                restored(progress),
                overwrite=self._overwrite,
            )
        self.written.append(target)

    def _claim(self, target: Path) -> None:
        pictures.format_of(target)
        if target in self._claimed:
            raise UserError(f"{target} is already the output of another picture")
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
    """Sharpens all inputs and returns 1 if a picture could not be sharpened, else 0."""
    began = time.perf_counter() - _seconds_since_start()
    signal.signal(signal.SIGTERM, _raise_exit)
    pictures.limit_size(megapixels)
    plan = output_paths.plan(inputs, out, format_ and pictures.named_format(format_))
    jobs = plan.jobs
    if jobs[0].target is None:
        if options.compare:
            raise UserError("--compare writes a second file: name the first with -o")
        if sys.stdout.isatty():
            raise UserError("standard output is a terminal: name a file with -o")
    sharpening = Sharpening(
        options,
        overwrite=overwrite,
        # Stay quiet when the picture goes to a pipe.
        logs_model=jobs[0].target is not None,
    )
    start = time.perf_counter() - began
    failed = _run(jobs, sharpening)
    total = time.perf_counter() - began
    if timing:
        _print_timing(sharpening.stopwatch.seconds, start, total)
    if sharpening.written:
        logger.info("wrote %s in %.1f s", _describe_written(sharpening.written), total)
    if len(jobs) > 1 or plan.skipped:
        logger.info("%s", _summary(len(jobs), failed, plan.skipped))
    return 1 if failed else 0


def split_view(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Joins the left half of `before` and the right half of `after`, with a seam."""
    width = before.shape[1]
    middle, half = width // 2, max(1, width // (2 * _SEAM))
    joined = np.concatenate([before[:, :middle], after[:, middle:]], axis=1)
    integer = np.issubdtype(joined.dtype, np.integer)
    white = np.iinfo(joined.dtype).max if integer else 1
    joined[:, max(middle - half, 0) : middle + half] = white
    return joined


def _run(jobs: Sequence[output_paths.Job], sharpening: Sharpening) -> int:
    """Runs all jobs, reports each failure, and returns the number of failures."""
    failed = 0
    # For a single picture, the progress of its tiles is shown instead.
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
            read_ahead.run(
                jobs,
                size=sharpening.pixel_count,
                read=sharpening.read,
                prepare=sharpening.prepare,
                write=sharpening.write,
                capacity=_MAX_PIXELS,
            )
        ) as done,
    ):
        for job, error in done:
            bar.update()
            if error is not None:
                failed += 1
                with tqdm.external_write_mode(sys.stderr):
                    terminal.fail(_describe_error(job, error), 1)
    return failed


def _describe_error(job: output_paths.Job, error: BaseException) -> str:
    """Describes in one sentence why a picture failed."""
    words = str(error)
    if isinstance(error, UserError | OSError):
        return words if job.name in words else f"{job.name}: {words}"
    if isinstance(error, MemoryError):
        return f"{job.name}: not enough memory"
    kind = type(error).__name__
    return f"{job.name}: could not be sharpened ({kind}{': ' if words else ''}{words})"


def _describe_written(written: Sequence[Path]) -> str:
    """The written file, or the number of files and their common folder."""
    if len(written) == 1:
        return str(written[0])
    # Relative and absolute paths may be mixed.
    folders = [os.path.abspath(path.parent) for path in written]
    try:
        return f"{len(written)} pictures to {os.path.commonpath(folders)}"
    except ValueError:  # Different drives on Windows.
        return f"{len(written)} pictures"


def _summary(asked: int, failed: int, skipped: Sequence[Path]) -> str:
    """Counts the pictures sharpened, refused, and the files that are not pictures."""
    parts = [f"{asked - failed} of {asked} pictures sharpened"]
    if failed:
        parts.append(f"{failed} refused, for the reasons above")
    if skipped:
        kinds = Counter(path.suffix.lower() or "no extension" for path in skipped)
        counts = ", ".join(f"{number} {kind}" for kind, number in kinds.most_common())
        are = (
            "file that is not a picture"
            if len(skipped) == 1
            else "files that are not pictures"
        )
        parts.append(f"skipped {len(skipped)} {are} ({counts})")
    return "; ".join(parts)


@contextlib.contextmanager
def _paused_gc() -> Iterator[None]:
    """Pauses garbage collection, and exempts objects made inside from it for good.

    Importing JAX creates so many objects that collections during and after it take 0.4
    s.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextlib.contextmanager
def _tile_progress(name: str):
    """Yields a progress callback that a progress bar displays."""
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


def _print_timing(seconds: dict[str, float], start: float, total: float) -> None:
    parts = {"start": start, **seconds}
    order = ("start", "load", "decode", "network", "encode")
    times = ", ".join(f"{name} {parts.get(name, 0):.2f}" for name in order)
    print(
        f"seconds: {times}; {total:.2f} in total, as decoding and encoding run in "
        "parallel with the rest",
        file=sys.stderr,
    )


def _seconds_since_start() -> float:
    """The age of this process in seconds; 0 where the system does not tell."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        return time.clock_gettime(time.CLOCK_BOOTTIME) - started
    except (OSError, ValueError, IndexError, AttributeError):
        return 0.0


def _raise_exit(number, frame) -> None:
    # Raised as an exception, so that partial files are removed.
    raise SystemExit(128 + number)
