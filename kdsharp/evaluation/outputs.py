"""Files that are there whole or not at all."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from kdsharp.errors import UserError


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yields a name to write to, which becomes `path` if all goes well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".unfinished-{os.getpid()}-{path.name}")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def check_picture_name(path: Path) -> None:
    """Refuses what is no name of a picture."""
    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind not in Image.SAVE:
        raise UserError(f"{path} is no name of a picture: let it end in .png")


def write_text(path: Path, text: str) -> None:
    """Writes the text."""
    with whole(path) as unfinished:
        unfinished.write_text(text)
