"""What a run writes while it trains: `metrics.jsonl` and TensorBoard events."""

import json
import time
from collections.abc import Mapping
from pathlib import Path

from tensorboardX import summary
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog

from kdsharp.base import atomic_files

METRICS_FILE = "metrics.jsonl"
# How long TensorBoard may have to wait for what is new.
_FLUSH_SECONDS = 120


class MetricsLog:
    """Both files; what an interrupted run wrote past `step` is taken back first."""

    def __init__(self, workdir: Path, step: int):
        self._path = workdir / METRICS_FILE
        _keep_until(self._path, step)
        self._file = self._path.open("a")
        self._events = _Events(workdir / "tensorboard", step)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Writes one line, whole, and the same as events."""
        self._file.write(json.dumps({"step": step, **values}) + "\n")
        self._file.flush()
        self._events.write(step, values)

    def close(self) -> None:
        self._file.close()
        self._events.close()


class _Events:
    """TensorBoard's file, written here and now.

    tensorboardX has a thread for that, which a full disk ends with a traceback; the
    program would then wait for it in vain.
    """

    def __init__(self, folder: Path, step: int):
        folder.mkdir(parents=True, exist_ok=True)
        # Two runs that start within a second would share a file without the suffix.
        self._writer = EventsWriter(str(folder / "events"), f".{step}")
        self._flushed = 0.0
        # TensorBoard forgets what came after, as an interrupted run may have left it.
        self._add(step + 1, file_version="brain.Event:2")
        self._add(step + 1, session_log=SessionLog(status=SessionLog.START))

    def write(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._add(step, summary=summary.scalar(name, value))
        if time.monotonic() - self._flushed > _FLUSH_SECONDS:
            self._writer.flush()
            self._flushed = time.monotonic()

    def close(self) -> None:
        self._writer.close()

    def _add(self, step: int, **content) -> None:
        self._writer.write_event(Event(wall_time=time.time(), step=step, **content))


def read_metrics(workdir: Path) -> list[dict]:
    """The lines that a run wrote, without one that a kill cut short."""
    path = workdir / METRICS_FILE
    lines = path.read_text().splitlines() if path.exists() else []
    records = []
    for line in lines:
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return records


def _keep_until(path: Path, step: int) -> None:
    kept = [r for r in read_metrics(path.parent) if r["step"] <= step]
    atomic_files.write_text(path, "".join(json.dumps(r) + "\n" for r in kept))
