"""Files that are there whole or not at all."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yields a name to write to, which becomes `path` if all goes well.

    The name has the ending of `path`, by which many writers choose a format.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".unfinished-{os.getpid()}-{path.name}")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes the text."""
    with whole(path) as unfinished:
        unfinished.write_text(text)


def write_bytes(path: Path, content: bytes) -> None:
    """Writes the bytes."""
    with whole(path) as unfinished:
        unfinished.write_bytes(content)
