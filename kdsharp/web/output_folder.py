"""Atomic replacement of output folders."""

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from kdsharp.errors import UserError


@contextlib.contextmanager
def replacing(
    out: Path, *, holds: str, is_ours: Callable[[Path], bool]
) -> Iterator[Path]:
    """Yields a path for the new folder, which replaces `out` if the block succeeds.

    A non-empty `out` is refused unless `is_ours` recognises it; `holds` describes its
    content, such as "a site".
    """
    if out.is_file():
        raise UserError(f"{out} is a file: give a folder")
    if out.is_dir() and any(out.iterdir()) and not is_ours(out):
        raise UserError(
            f"{out} holds something other than {holds}: give a new or an empty folder"
        )
    above = out.absolute().parent
    try:
        above.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=above))
    except OSError as error:
        raise UserError(
            f"{out} cannot be written ({error.strerror}): check {above}"
        ) from error
    try:
        made = staging / "new"
        yield made
        if out.exists():
            out.replace(staging / "old")
        made.replace(out)
        out.chmod(0o755)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
