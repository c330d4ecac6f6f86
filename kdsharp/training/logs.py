"""The metrics of a run: `metrics.jsonl`, and additional writers."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from kdsharp.base import atomic_files
from kdsharp.training.writers import MetricsWriter

METRICS_FILE = "metrics.jsonl"


class MetricsLog:
    """Writes metrics to the file and to the writers.

    Lines after `step`, from an interrupted run, are removed from the file first.
    """

    def __init__(self, workdir: Path, step: int, writers: Sequence[MetricsWriter] = ()):
        self._path = workdir / METRICS_FILE
        _truncate_after(self._path, step)
        self._file = self._path.open("a")
        self._writers = writers

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Writes one line to the file, and the same values to the writers."""
        self._file.write(json.dumps({"step": step, **values}) + "\n")
        self._file.flush()
        for writer in self._writers:
            writer.write(step, values)

    def close(self) -> None:
        self._file.close()
        for writer in self._writers:
            writer.close()


def read_metrics(workdir: Path) -> list[dict]:
    """Reads the lines of a run, without a last line that a kill truncated."""
    path = workdir / METRICS_FILE
    lines = path.read_text().splitlines() if path.exists() else []
    records = []
    for line in lines:
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return records


def _truncate_after(path: Path, step: int) -> None:
    records = [r for r in read_metrics(path.parent) if r["step"] <= step]
    atomic_files.write_text(path, "".join(json.dumps(r) + "\n" for r in records))
