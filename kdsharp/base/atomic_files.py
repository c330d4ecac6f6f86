"""Files that are complete or absent, even if the program is killed while it writes."""

import contextlib
import glob
import os
import re
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def atomic_write(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Yields a temporary path to write to, moved to `path` when the block succeeds.

    The temporary path keeps the suffix of `path`, by which many writers choose a
    format. With `durable` the file is flushed to disk and survives a power failure.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".unfinished-{os.getpid()}-{path.name}")
    try:
        yield unfinished
        if durable:
            flush(unfinished)
        unfinished.replace(path)
        if durable:
            flush(path.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Flushes the content of a file, or the names in a folder, to disk."""
    if path.is_dir() and os.name == "nt":
        # Windows cannot open folders, and flushes their names by itself.
        return
    # Windows flushes only files that are open for writing.
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def leftovers(path: Path) -> list[Path]:
    """Lists unfinished files that killed processes left behind for `path`.

    Files that a running process is still writing are not listed.
    """
    found = path.parent.glob(f".unfinished-*-{glob.escape(path.name)}")
    return [left for left in sorted(found) if not _is_written(left, path)]


def _is_written(unfinished: Path, path: Path) -> bool:
    name = re.escape(path.name)
    writer = re.fullmatch(rf"\.unfinished-(\d+)-{name}", unfinished.name)
    if writer is None:
        # The unfinished file of a longer name with the same ending.
        return True
    try:
        os.kill(int(writer[1]), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    # In a container every run can have the same process id.
    return int(writer[1]) != os.getpid()


def write_text(path: Path, text: str, *, durable: bool = False) -> None:
    """Writes `text` to `path` atomically."""
    with atomic_write(path, durable=durable) as unfinished:
        unfinished.write_text(text)


def write_bytes(path: Path, content: bytes) -> None:
    """Writes `content` to `path` atomically."""
    with atomic_write(path) as unfinished:
        unfinished.write_bytes(content)
