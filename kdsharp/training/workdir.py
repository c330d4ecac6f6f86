"""The work folder of a run: one config, one process at a time."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from ml_collections import ConfigDict

from kdsharp.base import atomic_files, locks
from kdsharp.errors import UserError
from kdsharp.training import hosts

_CONFIG = "config.json"
# Config keys that may change when a run is resumed.
_IGNORED_KEYS = ("profile", "writers")


@contextlib.contextmanager
def claim(folder: Path, config: ConfigDict) -> Iterator[None]:
    """Locks the folder for a run of this config; raises an error if that is impossible.

    The primary host locks it for all.
    """
    with contextlib.ExitStack() as stack:
        hosts.on_primary_host(lambda: stack.enter_context(_lock(folder, config)))
        yield


@contextlib.contextmanager
def _lock(folder: Path, config: ConfigDict) -> Iterator[None]:
    current = json.loads(config.to_json())
    for name in _IGNORED_KEYS:
        current.pop(name, None)
    saved = folder / _CONFIG
    if saved.exists():
        _check_same_config(folder, json.loads(saved.read_text()), current)
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            busy = (
                f"another process is training in {folder}; wait for it, or name "
                "another work folder with --workdir"
            )
            stack.enter_context(locks.exclusive(folder / ".lock", busy))
        except OSError as error:
            raise UserError(
                f"cannot write to the work folder {folder} ({error.strerror}); "
                "name another with --workdir"
            ) from error
        if not saved.exists():
            atomic_files.write_text(saved, json.dumps(current, indent=2) + "\n")
        yield


def _check_same_config(folder: Path, saved: dict, current: dict) -> None:
    old, new = dict(_flat(saved)), dict(_flat(current))
    changes = [
        f"{name}: {old.get(name, 'absent')} there, {new.get(name, 'absent')} now"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]
    if changes:
        raise UserError(
            f"{folder} holds a run of another config ({'; '.join(changes)}); "
            "name another work folder with --workdir"
        )


def _flat(tree: dict, prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
