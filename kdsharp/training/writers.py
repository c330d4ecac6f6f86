"""Additional writers of metrics: TensorBoard and Weights & Biases."""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from tensorboardX import summary
from tensorboardX.event_file_writer import EventsWriter

# Which protobuf makes when it is imported.
from tensorboardX.proto.event_pb2 import (
    Event,  # pyright: ignore[reportAttributeAccessIssue]
    SessionLog,  # pyright: ignore[reportAttributeAccessIssue]
)

from kdsharp.base import atomic_files, choices, optional
from kdsharp.errors import UserError

# The maximal delay of TensorBoard's file.
_FLUSH_SECONDS = 120


class MetricsWriter(Protocol):
    """A destination of metrics."""

    def write(self, step: int, values: Mapping[str, float]) -> None: ...

    def close(self) -> None: ...


class _TensorBoard:
    """Writes TensorBoard's event file in the folder `tensorboard`, synchronously.

    tensorboardX's own writer uses a thread, which a full disk would kill, and the
    program would wait for it for ever.
    """

    def __init__(self, workdir: Path, step: int, config: Mapping):
        folder = workdir / "tensorboard"
        folder.mkdir(parents=True, exist_ok=True)
        # The suffix keeps runs that start in the same second from sharing a file.
        self._writer = EventsWriter(str(folder / "events"), f".{step}")
        self._flushed = 0.0
        # Tells TensorBoard to discard later steps, from an interrupted run.
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


class _WeightsAndBiases:
    """Writes to a W&B run, whose ID is kept in the work folder for resuming.

    W&B itself reads WANDB_MODE, WANDB_ENTITY and its other variables.
    """

    def __init__(self, workdir: Path, step: int, config: Mapping):
        (wandb,) = optional.require("wandb", purpose=_PURPOSE)
        id_file = workdir / "wandb" / "run-id"
        try:
            self._run = wandb.init(
                dir=str(workdir),
                id=id_file.read_text().strip() if id_file.exists() else None,
                resume="allow",
                project=os.environ.get("WANDB_PROJECT") or "kdsharp",
                name=os.environ.get("WANDB_NAME") or config.get("name"),
                config=dict(config),
            )
        except wandb.Error as error:
            reason = str(error).strip().partition("\n")[0].rstrip(".")
            raise UserError(
                f"wandb cannot start a run ({reason}); WANDB_MODE=offline "
                "keeps it in the work folder, to be sent later by 'wandb sync'"
            ) from error
        id_file.parent.mkdir(exist_ok=True)
        atomic_files.write_text(id_file, self._run.id + "\n")
        # W&B's own step cannot decrease, but a resumed run goes back to its checkpoint.
        self._run.define_metric("*", step_metric="step")

    def write(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log({"step": step, **values})

    def close(self) -> None:
        self._run.finish()


_PURPOSE = "writing metrics to Weights & Biases"
WRITERS = {"tensorboard": _TensorBoard, "wandb": _WeightsAndBiases}


def check(names: str) -> None:
    """Raises an error for unknown or uninstalled writers in `config.writers`."""
    for name in _split(names):
        if name not in WRITERS:
            raise choices.unknown("writer", name, WRITERS)
        if name == "wandb" and not optional.installed("wandb"):
            raise optional.missing("wandb", purpose=_PURPOSE)


def create(
    names: str, workdir: Path, step: int, config: Mapping | None = None
) -> list[MetricsWriter]:
    """Creates the writers of comma-separated names, for metrics after `step`.

    `config` is shown by W&B.
    """
    check(names)
    return [WRITERS[name](workdir, step, config or {}) for name in _split(names)]


def _split(names: str) -> Sequence[str]:
    """Splits comma-separated names, without duplicates."""
    return list(dict.fromkeys(n.strip() for n in names.split(",") if n.strip()))
