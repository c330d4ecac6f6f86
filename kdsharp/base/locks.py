"""File locks between processes, released when their holder ends."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from kdsharp.errors import UserError


class LockedError(UserError):
    """Another process holds the lock."""


@contextlib.contextmanager
def exclusive(path: Path, message: str = "") -> Iterator[None]:
    """Holds an exclusive lock on `path`, or raises a LockedError with the message.

    The lock file is created if needed and never removed: removing it would let two
    processes hold locks on the same path.
    """
    with path.open("w") as file:
        try:
            _lock(file)
        except OSError as error:
            raise LockedError(message or f"another process uses {path}") from error
        yield


def _lock(file: IO) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
