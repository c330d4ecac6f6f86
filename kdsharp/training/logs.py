"""What a run writes while it trains: `metrics.jsonl` and TensorBoard events."""

import json
from collections.abc import Mapping
from pathlib import Path

from tensorboardX import SummaryWriter

from kdsharp.base import atomic_files

METRICS_FILE = "metrics.jsonl"


class MetricsLog:
    """Both files; what an interrupted run wrote past `step` is taken back first."""

    def __init__(self, workdir: Path, step: int):
        self._path = workdir / METRICS_FILE
        _keep_until(self._path, step)
        self._file = self._path.open("a")
        self._events = SummaryWriter(
            str(workdir / "tensorboard"),
            purge_step=step + 1,
            # Two runs that start within a second would share a file otherwise.
            filename_suffix=f".{step}",
        )

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Writes one line, whole, and the same as events."""
        self._file.write(json.dumps({"step": step, **values}) + "\n")
        self._file.flush()
        for name, value in values.items():
            self._events.add_scalar(name, value, step)

    def close(self) -> None:
        self._file.close()
        self._events.close()


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
