"""Checkpoints of a run (orbax): the latest few, and the best.

A checkpoint includes a checksum of its arrays. If it is unreadable or does not match,
it is set aside with a warning, and the previous one is used. Several hosts write a
checkpoint together, and any number of hosts can read it.
"""

import contextlib
import dataclasses
import logging
import re
import shutil
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from kdsharp.errors import UserError
from kdsharp.training import hosts

logger = logging.getLogger(__name__)

_MAX_LATEST = 3
# Two, since after a kill between saving the best and the latest, the run resumes from
# the older latest checkpoint and needs the older best one.
_MAX_BEST = 2


@dataclasses.dataclass
class Restored:
    """The contents of a checkpoint."""

    step: int
    tree: Any
    progress: dict


class Checkpoints:
    """The checkpoints of a run.

    `to_save` converts a tree that every host holds to arrays that all hosts write.
    """

    def __init__(self, folder: Path, to_save: Callable[[Any], Any] = lambda tree: tree):
        self._latest = _Series(folder / "latest", _MAX_LATEST, to_save)
        self._best = _Series(folder / "best", _MAX_BEST, to_save)
        _silence_duplicates()

    def save(self, step: int, tree: Any, progress: dict) -> None:
        """Starts writing the state of a run in the background."""
        self._latest.save(step, tree, progress)

    def save_best(self, step: int, tree: Any, progress: dict) -> None:
        """Writes the best state so far, and waits until it is complete."""
        # One checkpoint at a time, since hosts synchronise under names that all
        # checkpoints share.
        self._latest.wait()
        self._best.save(step, tree, progress)
        self._best.wait()

    def restore(self, like: Any) -> Restored | None:
        """Restores the newest intact state, and deletes best states after it."""
        restored = self._latest.restore(like)
        self._best.delete_after(restored.step if restored else -1)
        return restored

    def restore_best(self, like: Any) -> Restored | None:
        """Restores the best intact state."""
        self._latest.wait()
        return self._best.restore(like)

    def wait(self) -> None:
        """Waits until all checkpoints are on disk."""
        self._latest.wait()

    def close(self) -> None:
        """Waits for all checkpoints and closes the managers."""
        self._latest.close()
        self._best.close()


class _Series:
    """Checkpoints in one folder, numbered by step, limited to the newest `kept`."""

    def __init__(self, folder: Path, kept: int, to_save: Callable[[Any], Any]):
        self._folder = folder
        self._to_save = to_save
        self._manager = ocp.CheckpointManager(
            folder.absolute(),
            options=ocp.CheckpointManagerOptions(
                max_to_keep=kept, cleanup_tmp_directories=True
            ),
            item_names=("state", "progress"),
        )

    def save(self, step: int, tree: Any, progress: dict) -> None:
        if step in self._manager.all_steps():
            return
        progress = {**progress, "checksum": _checksum(tree)}
        with self._writing():
            self._manager.save(
                step,
                args=ocp.args.Composite(
                    state=ocp.args.StandardSave(self._to_save(tree)),
                    progress=ocp.args.JsonSave(progress),
                ),
            )

    def restore(self, like: Any) -> Restored | None:
        steps = hosts.on_primary_host(
            lambda: sorted(self._manager.all_steps(), reverse=True)
        )
        for step in steps:
            restored, damage = None, None
            try:
                restored = self._read(step, like)
            except Exception as error:  # Damaged files raise errors of many types.
                if hosts.is_host_loss(error):
                    raise
                damage = str(error).splitlines()[0][:120] if str(error) else type(error)
            if hosts.all_true(restored is not None):
                return restored
            logger.warning(
                "checkpoint %s/%d is damaged (%s): set aside, using the previous one",
                self._folder,
                step,
                damage or "on another host",
            )
            hosts.on_primary_host(lambda step=step: self._set_aside(step))
            self._manager.reload()
        if steps:
            raise UserError(
                f"every checkpoint in {self._folder} is damaged; start again with "
                "another work folder"
            )
        return None

    def delete_after(self, step: int) -> None:
        for later in self._manager.all_steps():
            if later > step:
                self._manager.delete(later)

    def wait(self) -> None:
        with self._writing():
            self._manager.wait_until_finished()

    def close(self) -> None:
        with self._writing():
            self._manager.close()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Converts errors while writing to an OSError with a short reason."""
        try:
            yield
        except (OSError, ValueError, RuntimeError) as error:
            if hosts.is_host_loss(error):
                raise
            raise OSError(
                f"cannot write a checkpoint to {self._folder} ({_reason(error)})"
            ) from error

    def _read(self, step: int, like: Any) -> Restored:
        restored = self._manager.restore(
            step,
            args=ocp.args.Composite(
                state=ocp.args.StandardRestore(like), progress=ocp.args.JsonRestore()
            ),
        )
        progress = dict(restored["progress"])
        if _checksum(restored["state"]) != progress.pop("checksum"):
            raise ValueError("its arrays do not match their checksum")
        return Restored(step, restored["state"], progress)

    def _set_aside(self, step: int) -> None:
        damaged = self._folder / str(step)
        aside = self._folder.parent / "damaged" / f"{self._folder.name}-{step}"
        shutil.rmtree(aside, ignore_errors=True)
        aside.parent.mkdir(exist_ok=True)
        shutil.move(damaged, aside)


def _reason(error: Exception) -> str:
    """Extracts the operating system's message from TensorStore's."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    first = (str(error).splitlines() or [repr(error)])[0]
    match = re.search(r": ([^:]+) \[os_error_code='\d+'", first)
    return match[1] if match else first[:120]


def _silence_duplicates() -> None:
    """Silences tracebacks that libraries print of errors that they also raise.

    Orbax logs one per thread; TensorStore prints one per array whose writing is
    cancelled after another has failed.
    """
    log = logging.getLogger("absl")
    if not any(isinstance(held, _DropOrbaxRecords) for held in log.filters):
        log.addFilter(_DropOrbaxRecords())
    if not isinstance(sys.excepthook, _IgnoreClosedLoops):
        sys.excepthook = _IgnoreClosedLoops(sys.excepthook)


class _DropOrbaxRecords(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return "orbax" not in record.pathname


class _IgnoreClosedLoops:
    def __init__(self, hook: Callable):
        self._hook = hook

    def __call__(self, kind, error, traceback) -> None:
        if kind is not RuntimeError or str(error) != "Event loop is closed":
            self._hook(kind, error, traceback)


def _checksum(tree: Any) -> int:
    total = 0
    for path, leaf in sorted(
        (jax.tree_util.keystr(path), leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    ):
        total = zlib.crc32(path.encode(), total)
        total = zlib.crc32(np.ascontiguousarray(leaf).tobytes(), total)
    return total
