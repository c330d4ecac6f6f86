"""The steps of the pipeline before and after the network."""

import os
import platform
import posixpath
import time
import uuid
from collections.abc import Iterator

import apache_beam as beam
from apache_beam import pvalue
from apache_beam.io.filesystem import BeamIOError
from apache_beam.io.filesystems import FileSystems
from apache_beam.metrics.metric import Metrics

from kdsharp.batching.names import BatchItem
from kdsharp.batching.network import Failure
from kdsharp.errors import UserError
from kdsharp.media import pictures

BAD = "bad"
# Namespaces of Beam's metrics: skipped pictures, and pictures and times by worker.
COUNTERS = "kdsharp"
WORKER = "kdsharp/worker/"

_PLAIN = 1024


class NotDone(beam.DoFn):
    """Drops pictures whose output exists."""

    def process(self, job: BatchItem) -> Iterator[BatchItem]:
        if FileSystems.exists(job.likely_target):
            _count_skipped()
        else:
            yield job


class Read(beam.DoFn):
    """Decodes pictures; those that fail go to the output `BAD` with the reason."""

    def __init__(self, megapixels: float):
        self._megapixels = megapixels

    def setup(self) -> None:
        pictures.limit_size(self._megapixels)

    def process(self, job: BatchItem):
        try:
            with FileSystems.open(job.source) as file:
                content = file.read()
            if not content:
                raise UserError("it is empty")
            picture = pictures.read(content)
        except (UserError, OSError) as error:
            yield pvalue.TaggedOutput(BAD, (job.source, _reason(error)))
            return
        metadata = picture.metadata
        target = job.target(metadata.format)
        # If the extension does not tell the format, the target is known only now.
        if target != job.likely_target and FileSystems.exists(target):
            _count_skipped()
            return
        yield (job.source, target, metadata), picture.pixels


class Write(beam.DoFn):
    """Writes files atomically: under a temporary name, then moved into place."""

    def __init__(self, unfinished: str):
        self._unfinished = unfinished
        self._worker = f"{platform.node()}:{os.getpid()}"

    def setup(self) -> None:
        self._worker = f"{platform.node()}:{os.getpid()}"

    def process(self, element):
        (source, target, metadata), result = element
        sharp = result.inference
        if isinstance(sharp, Failure):
            yield pvalue.TaggedOutput(BAD, (source, sharp.reason))
            return
        kept = pictures.output_format(metadata.format)
        try:
            content = pictures.encode(pictures.Picture(sharp, metadata), kept)
        except UserError as error:
            yield pvalue.TaggedOutput(BAD, (source, str(error)))
            return
        self._put(content, target)
        name = WORKER + self._worker
        Metrics.counter(name, "pictures").inc()
        Metrics.distribution(name, "at").update(int(time.time() * 1000))
        yield target

    def _put(self, content: bytes, target: str) -> None:
        unfinished = posixpath.join(self._unfinished, uuid.uuid4().hex)
        with FileSystems.create(unfinished) as file:
            file.write(content)
        make_folder(posixpath.dirname(target))
        # Another worker may process the same picture: both write the same bytes, and
        # the last one moved into place remains.
        FileSystems.rename([unfinished], [target])


def make_folder(folder: str) -> None:
    """Creates a folder if it does not exist."""
    if not FileSystems.exists(folder):
        try:
            FileSystems.mkdirs(folder)
        except (BeamIOError, OSError):  # Another worker was faster.
            if not FileSystems.exists(folder):
                raise


def _count_skipped() -> None:
    Metrics.counter(COUNTERS, "skipped").inc()


def _reason(error: Exception) -> str:
    words = str(error).removeprefix("standard input: ")
    return words.splitlines()[0][:_PLAIN] if words else type(error).__name__
