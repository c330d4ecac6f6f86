"""`kdsharp batch`: sharpens the pictures that match a pattern, with Apache Beam."""

import contextlib
import hashlib
import json
import logging
import os
import posixpath
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import apache_beam as beam
from apache_beam.io import WriteToText, fileio
from apache_beam.io.filesystem import BeamIOError
from apache_beam.io.filesystems import FileSystems
from apache_beam.metrics.metric import MetricsFilter
from apache_beam.ml.inference.base import KeyedModelHandler, RunInference
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms.combiners import Count

from kdsharp.base import locks
from kdsharp.batching import names, network, steps
from kdsharp.errors import Stopped, UserError
from kdsharp.media import pictures
from kdsharp.runtime.options import DEFAULT, RestoreOptions

logger = logging.getLogger(__name__)

DEAD_LETTERS = "dead-letters.jsonl"
# Folder below the output: the model, the options, and unfinished files.
_OWN = ".batch"
_UNFINISHED = "unfinished"
# Beam's own DirectRunner downloads a program, Prism, and falls back on this runner.
_RUNNERS = {"DirectRunner": "FnApiRunner"}


class Failed(Stopped):
    """The pipeline failed; repeating the command resumes it."""

    exit_status = 1


def run(
    glob: str,
    out: str,
    *,
    options: RestoreOptions,
    runner: str,
    workers: int,
    megapixels: float,
    beam_options: Sequence[str] = (),
) -> int:
    """Runs the pipeline and returns 1 if a picture could not be sharpened, else 0."""
    pictures.limit_size(megapixels)
    began = time.monotonic()
    try:
        pipeline = beam.Pipeline(options=_options(runner, workers, beam_options))
    except ValueError as error:
        raise UserError(str(error)) from error
    found = _count(glob)
    graph, shape = network.export(options.model)
    with _claim(out, options, graph) as own:
        handler = network.Handler(
            posixpath.join(own, "model.onnx"),
            shape,
            strength=options.strength,
            unsharp=options.unsharp,
        )
        logger.info("%d pictures, model %s", found, options.model or DEFAULT)
        _build(pipeline, glob, out, own, handler, megapixels)
        with (
            _readable_errors(),
            _silence_stderr() if workers > 1 else contextlib.nullcontext(),
        ):
            result = pipeline.run()
            result.wait_until_finish()
        bad = _dead_letters(out, own)
    return _print_summary(result, out, bad, time.monotonic() - began)


def _build(pipeline, glob, out, own, handler, megapixels) -> None:
    """Adds all steps to the pipeline."""
    read = (
        pipeline
        | "Pattern" >> fileio.MatchFiles(glob)
        # Outputs of an earlier run may match the pattern, too.
        | "Not ours" >> beam.Filter(lambda file: not names.is_below(file.path, out))
        | "Job" >> beam.Map(lambda file: names.job(file.path, glob, out))
        | "Not done" >> beam.ParDo(steps.NotDone())
        # Distributes names to the workers; pixels never travel between them.
        | "Share" >> beam.Reshuffle()
        | "Read" >> beam.ParDo(steps.Read(megapixels)).with_outputs(main="read")
    )
    written = (
        read.read
        | "Network" >> RunInference(KeyedModelHandler(handler))
        | "Write"
        >> beam.ParDo(steps.Write(posixpath.join(own, _UNFINISHED))).with_outputs(
            main="written"
        )
    )
    _ = written.written | "Count" >> Count.Globally()
    bad = (read[steps.BAD], written[steps.BAD]) | "Bad" >> beam.Flatten()
    # In the folder of unfinished files: a killed pipeline leaves temporary files there.
    letters = WriteToText(
        posixpath.join(own, _UNFINISHED, DEAD_LETTERS), shard_name_template=""
    )
    _ = bad | "Line" >> beam.MapTuple(_dead_letter) | "List" >> letters


def _dead_letter(picture: str, why: str) -> str:
    return json.dumps({"picture": picture, "why": why})


def _options(runner: str, workers: int, options: Sequence[str]) -> PipelineOptions:
    given = [f"--runner={_RUNNERS.get(runner, runner)}", *options]
    if runner in _RUNNERS:
        given.append(f"--direct_num_workers={workers}")
        if workers != 1:
            given.append("--direct_running_mode=multi_processing")
    return PipelineOptions(given)


def _count(glob: str) -> int:
    """Counts the files that match the pattern."""
    with _readable_errors():
        found = len(FileSystems.match([glob])[0].metadata_list)
    if not found:
        raise UserError(f"no files match {glob}")
    return found


@contextlib.contextmanager
def _claim(out: str, options: RestoreOptions, graph: bytes) -> Iterator[str]:
    """Yields the job's own folder below `out`, locked against other jobs."""
    own = posixpath.join(out, _OWN)
    asked = {
        "model": options.model or DEFAULT,
        "strength": options.strength,
        "unsharp": options.unsharp,
        "network": hashlib.sha256(graph).hexdigest(),
    }
    with _readable_errors():
        steps.make_folder(own)
    with _lock(own, out):
        with _readable_errors():
            # Remove partial files of a killed job.
            unfinished = posixpath.join(own, _UNFINISHED)
            if FileSystems.exists(unfinished):
                FileSystems.delete([unfinished])
            steps.make_folder(unfinished)
            _check_options(own, asked, out)
            _write(posixpath.join(own, "model.onnx"), graph, own)
        yield own
        with _readable_errors():
            FileSystems.delete([unfinished])


@contextlib.contextmanager
def _lock(own: str, out: str) -> Iterator[None]:
    """Holds an exclusive lock on a local folder; remote folders cannot be locked."""
    if "://" in own:
        yield
        return
    busy = f"another batch is writing to {out}: wait for it"
    with locks.exclusive(Path(own, "lock"), busy):
        yield


def _check_options(own: str, asked: dict, out: str) -> None:
    """Refuses to resume with options other than those of the existing pictures."""
    path = posixpath.join(own, "asked.json")
    if not FileSystems.exists(path):
        _write(path, json.dumps(asked).encode(), own)
        return
    with FileSystems.open(path) as file:
        before = json.loads(file.read())
    changes = [
        f"{name}: {before.get(name)} before, {value} now"
        for name, value in asked.items()
        if before.get(name) != value
    ]
    if changes:
        raise UserError(
            f"{out} holds pictures made with other options ({'; '.join(changes)}): "
            "name another folder"
        )


def _write(path: str, content: bytes, own: str) -> None:
    unfinished = posixpath.join(own, _UNFINISHED, posixpath.basename(path) + ".new")
    with FileSystems.create(unfinished) as file:
        file.write(content)
    FileSystems.rename([unfinished], [path])


def _dead_letters(out: str, own: str) -> list[dict]:
    """Moves the list of failed pictures, if any, to `out` and returns its entries."""
    path = posixpath.join(out, DEAD_LETTERS)
    with _readable_errors():
        with FileSystems.open(posixpath.join(own, _UNFINISHED, DEAD_LETTERS)) as file:
            lines = file.read()
        if lines:
            _write(path, lines, own)
        elif FileSystems.exists(path):
            FileSystems.delete([path])
    return [json.loads(line) for line in lines.splitlines()]


def _print_summary(result, out: str, bad: list[dict], seconds: float) -> int:
    """Prints the counts and the speed of each worker; returns the exit status."""
    metrics = result.metrics()
    found = metrics.query(MetricsFilter().with_name("skipped"))["counters"]
    skipped = sum(counter.result for counter in found)
    at = {
        entry.key.metric.namespace.removeprefix(steps.WORKER): entry.result
        for entry in metrics.query(MetricsFilter().with_name("at"))["distributions"]
    }
    done = sum(times.count for times in at.values())
    print(
        f"{done} sharpened, {skipped} skipped, {len(bad)} failed; {seconds:.1f} s, "
        f"{done / seconds:.1f} pictures/s"
    )
    for worker, times in sorted(at.items()):
        span = (times.max - times.min) / 1000
        rate = f", {(times.count - 1) / span:.1f} pictures/s" if span else ""
        print(f"  worker {worker}: {times.count}{rate}")
    if bad:
        logger.warning(
            "%d pictures failed and are listed in %s; the first: %s: %s",
            len(bad),
            posixpath.join(out, DEAD_LETTERS),
            bad[0]["picture"],
            bad[0]["why"],
        )
    return 1 if bad else 0


@contextlib.contextmanager
def _silence_stderr() -> Iterator[None]:
    """Hides what Beam's worker processes write to stderr.

    Their errors are raised in this process.
    """
    sys.stderr.flush()
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


@contextlib.contextmanager
def _readable_errors() -> Iterator[None]:
    """Turns errors of Beam and of file systems into one-sentence errors."""
    try:
        yield
    except (UserError, Stopped):
        raise
    except (BeamIOError, OSError, RuntimeError, ValueError) as error:
        words = [line.strip() for line in str(error).splitlines() if line.strip()]
        # The message contains a worker's traceback, whose last line is the reason.
        raise Failed(
            f"{words[-1] if words else type(error).__name__}: finished output is kept; "
            "fix this and repeat the command"
        ) from error
