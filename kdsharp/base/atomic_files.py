"""Files that are complete or absent, even if the program is killed while it writes."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yields a temporary name to write to, moved to `path` when the block succeeds.

    The name has the same ending as `path`, by which many writers choose a format.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".unfinished-{os.getpid()}-{path.name}")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes the text to `path`, atomically."""
    with atomic_write(path) as unfinished:
        unfinished.write_text(text)


def write_bytes(path: Path, content: bytes) -> None:
    """Writes the bytes to `path`, atomically."""
    with atomic_write(path) as unfinished:
        unfinished.write_bytes(content)
