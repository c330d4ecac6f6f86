"""Writers of metrics beside `metrics.jsonl`: TensorBoard and Weights & Biases."""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from tensorboardX import summary
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog

from kdsharp.base import atomic_files, choices, optional
from kdsharp.errors import UserError

# How long TensorBoard may have to wait for what is new.
_FLUSH_SECONDS = 120


class Writer(Protocol):
    """Where the metrics of a run go."""

    def write(self, step: int, values: Mapping[str, float]) -> None: ...

    def close(self) -> None: ...


class _TensorBoard:
    """TensorBoard's file in the folder `tensorboard`, written here and now.

    tensorboardX has a thread for that, which a full disk ends with a traceback; the
    program would then wait for it in vain.
    """

    def __init__(self, workdir: Path, step: int, config: Mapping):
        folder = workdir / "tensorboard"
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


class _WeightsAndBiases:
    """A W&B run, whose ID the work folder keeps so that a resumed run goes on in it.

    W&B itself reads WANDB_MODE, WANDB_ENTITY and its other variables.
    """

    def __init__(self, workdir: Path, step: int, config: Mapping):
        (wandb,) = optional.require("wandb", purpose=_PURPOSE)
        kept = workdir / "wandb" / "run-id"
        try:
            self._run = wandb.init(
                dir=str(workdir),
                id=kept.read_text().strip() if kept.exists() else None,
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
        kept.parent.mkdir(exist_ok=True)
        atomic_files.write_text(kept, self._run.id + "\n")
        # W&B's own step only grows, while a resumed run goes back to its checkpoint.
        self._run.define_metric("*", step_metric="step")

    def write(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log({"step": step, **values})

    def close(self) -> None:
        self._run.finish()


_PURPOSE = "writing metrics to Weights & Biases"
WRITERS = {"tensorboard": _TensorBoard, "wandb": _WeightsAndBiases}


def check(names: str) -> None:
    """Raises a UserError for a name in `config.writers` that cannot be had."""
    for name in _split(names):
        if name not in WRITERS:
            raise choices.unknown("writer", name, WRITERS)
        if name == "wandb" and not optional.installed("wandb"):
            raise optional.missing("wandb", purpose=_PURPOSE)


def create(
    names: str, workdir: Path, step: int, config: Mapping | None = None
) -> list[Writer]:
    """The writers of these names, with commas between, of metrics after `step`.

    `config` is what W&B shows beside the metrics.
    """
    check(names)
    return [WRITERS[name](workdir, step, config or {}) for name in _split(names)]


def _split(names: str) -> Sequence[str]:
    """The names, each once."""
    return list(dict.fromkeys(n.strip() for n in names.split(",") if n.strip()))
