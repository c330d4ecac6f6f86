"""A run's folder: one run, one config, one process at a time."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from ml_collections import ConfigDict

from kdsharp.base import atomic_files, locks
from kdsharp.errors import UserError
from kdsharp.training import hosts

_CONFIG = "config.json"
# What may be asked of a run at any time and changes nothing in it.
_NO_PART_OF_IT = ("profile", "writers")


@contextlib.contextmanager
def claim(folder: Path, config: ConfigDict) -> Iterator[None]:
    """Holds the folder for a run of this config, or says why it can't be had.

    The first host holds it for all.
    """
    with contextlib.ExitStack() as held:
        hosts.on_primary_host(lambda: held.enter_context(_hold(folder, config)))
        yield


@contextlib.contextmanager
def _hold(folder: Path, config: ConfigDict) -> Iterator[None]:
    wanted = json.loads(config.to_json())
    for name in _NO_PART_OF_IT:
        wanted.pop(name, None)
    saved = folder / _CONFIG
    if saved.exists():
        _refuse_another(folder, json.loads(saved.read_text()), wanted)
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locks.exclusive(folder / ".lock"))
        except locks.LockedError as error:
            raise UserError(
                f"another process is training in {folder}; wait for it, or name "
                "another work folder with --workdir"
            ) from error
        except OSError as error:
            raise UserError(
                f"cannot write into the work folder {folder} ({error.strerror}); "
                "name another with --workdir"
            ) from error
        if not saved.exists():
            atomic_files.write_text(saved, json.dumps(wanted, indent=2) + "\n")
        yield


def _refuse_another(folder: Path, saved: dict, wanted: dict) -> None:
    old, new = dict(_flat(saved)), dict(_flat(wanted))
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
