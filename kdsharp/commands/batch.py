"""`kdsharp batch`: a pattern of pictures in, a folder of sharper ones out."""

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
# Below the folder of pictures: the model, what was asked, files not whole yet.
_OWN = ".batch"
_UNFINISHED = "unfinished"
# Beam's own DirectRunner fetches another program, Prism, and falls back on this one.
_RUNNERS = {"DirectRunner": "FnApiRunner"}


class Failed(Stopped):
    """The pipeline ended before its time."""

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
    """Returns the exit status: 1 where a picture could not be sharpened."""
    pictures.allow(megapixels)
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
        with _sentences(), _silent() if workers > 1 else contextlib.nullcontext():
            result = pipeline.run()
            result.wait_until_finish()
        bad = _dead_letters(out, own)
    return _tell(result, out, bad, time.monotonic() - began)


def _build(pipeline, glob, out, own, handler, megapixels) -> None:
    """Lays the pipeline out."""
    read = (
        pipeline
        | "Pattern" >> fileio.MatchFiles(glob)
        # What an earlier call wrote is no picture of its own.
        | "Not ours" >> beam.Filter(lambda file: not names.is_below(file.path, out))
        | "Job" >> beam.Map(lambda file: names.job(file.path, glob, out))
        | "Not done" >> beam.ParDo(steps.NotDone())
        # Names are shared out to workers; pixels never travel between them.
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
    # Among what is not whole yet: a killed pipeline leaves more than this file behind.
    letters = WriteToText(
        posixpath.join(own, _UNFINISHED, DEAD_LETTERS), shard_name_template=""
    )
    _ = bad | "Line" >> beam.MapTuple(_letter) | "List" >> letters


def _letter(picture: str, why: str) -> str:
    return json.dumps({"picture": picture, "why": why})


def _options(runner: str, workers: int, options: Sequence[str]) -> PipelineOptions:
    given = [f"--runner={_RUNNERS.get(runner, runner)}", *options]
    if runner in _RUNNERS:
        given.append(f"--direct_num_workers={workers}")
        if workers != 1:
            given.append("--direct_running_mode=multi_processing")
    return PipelineOptions(given)


def _count(glob: str) -> int:
    """Returns how many files the pattern finds."""
    with _sentences():
        found = len(FileSystems.match([glob])[0].metadata_list)
    if not found:
        raise UserError(f"no files match {glob}")
    return found


@contextlib.contextmanager
def _claim(out: str, options: RestoreOptions, graph: bytes) -> Iterator[str]:
    """Yields the folder of this job's own files, which no other job uses meanwhile."""
    own = posixpath.join(out, _OWN)
    asked = {
        "model": options.model or DEFAULT,
        "strength": options.strength,
        "unsharp": options.unsharp,
        "network": hashlib.sha256(graph).hexdigest(),
    }
    with _sentences():
        steps.make_folder(own)
    with _lock(own, out):
        with _sentences():
            # What a killed job left half written.
            unfinished = posixpath.join(own, _UNFINISHED)
            if FileSystems.exists(unfinished):
                FileSystems.delete([unfinished])
            steps.make_folder(unfinished)
            _agree(own, asked, out)
            _write(posixpath.join(own, "model.onnx"), graph, own)
        yield own
        with _sentences():
            FileSystems.delete([unfinished])


@contextlib.contextmanager
def _lock(own: str, out: str) -> Iterator[None]:
    """Holds a folder of this machine; where there are no locks, trusts the caller."""
    if "://" in own:
        yield
        return
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locks.exclusive(Path(own, "lock")))
        except locks.LockedError as error:
            raise UserError(f"another batch writes into {out}: wait for it") from error
        yield


def _agree(own: str, asked: dict, out: str) -> None:
    """Refuses to go on with other options than the pictures there were made with."""
    path = posixpath.join(own, "asked.json")
    if not FileSystems.exists(path):
        _write(path, json.dumps(asked).encode(), own)
        return
    with FileSystems.open(path) as file:
        before = json.loads(file.read())
    changes = [
        f"{name}: {before.get(name)} there, {value} now"
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
    """Returns what was not sharpened, and puts the list of it, if any, into `out`."""
    path = posixpath.join(out, DEAD_LETTERS)
    with _sentences():
        with FileSystems.open(posixpath.join(own, _UNFINISHED, DEAD_LETTERS)) as file:
            lines = file.read()
        if lines:
            _write(path, lines, own)
        elif FileSystems.exists(path):
            FileSystems.delete([path])
    return [json.loads(line) for line in lines.splitlines()]


def _tell(result, out: str, bad: list[dict], seconds: float) -> int:
    """Says what was done, how fast by which worker, and what was not."""
    metrics = result.metrics()
    found = metrics.query(MetricsFilter().with_name("skipped"))["counters"]
    skipped = sum(counter.result for counter in found)
    at = {
        entry.key.metric.namespace.removeprefix(steps.WORKER): entry.result
        for entry in metrics.query(MetricsFilter().with_name("at"))["distributions"]
    }
    done = sum(times.count for times in at.values())
    print(
        f"{done} sharpened, {skipped} done before, {len(bad)} not; {seconds:.1f} s, "
        f"{done / seconds:.1f} pictures/s"
    )
    for worker, times in sorted(at.items()):
        span = (times.max - times.min) / 1000
        rate = f", {(times.count - 1) / span:.1f} pictures/s" if span else ""
        print(f"  worker {worker}: {times.count}{rate}")
    if bad:
        logger.warning(
            "%d pictures were not sharpened, listed in %s; the first: %s: %s",
            len(bad),
            posixpath.join(out, DEAD_LETTERS),
            bad[0]["picture"],
            bad[0]["why"],
        )
    return 1 if bad else 0


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Hides what processes say that Beam starts: each line of their start and end.

    What goes wrong in them is raised here.
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
def _sentences() -> Iterator[None]:
    """Turns what Beam and file systems raise into a sentence."""
    try:
        yield
    except (UserError, Stopped):
        raise
    except (BeamIOError, OSError, RuntimeError, ValueError) as error:
        words = [line.strip() for line in str(error).splitlines() if line.strip()]
        # Beam puts a worker's traceback, whose last line tells, into the message.
        raise Failed(
            f"{words[-1] if words else type(error).__name__}: what is done stays; mend "
            "that and run the same command again"
        ) from error
