"""Resumes interrupted runs: their parameters and their segments."""

import contextlib
import dataclasses
import hashlib
import json
import logging
import shutil
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av

from kdsharp import __version__
from kdsharp.base import atomic_files, locks
from kdsharp.errors import UserError
from kdsharp.media.video import segments
from kdsharp.media.video.encoding import Encoding
from kdsharp.runtime import backends
from kdsharp.runtime.options import DEFAULT_VIDEO, RestoreOptions
from kdsharp.weights import store

logger = logging.getLogger(__name__)

_PARAMETERS = "parameters.json"


def folder(out: Path) -> Path:
    """The folder of an output's segments, which exists until the output is complete."""
    return out.with_name(f".segments-{out.name}")


def parameters(
    source: Path,
    options: RestoreOptions,
    encoding: Encoding,
    start: Fraction | None,
    duration: Fraction | None,
    deinterlace: bool,
) -> dict:
    """Everything that the frames of a run depend on, as JSON values."""
    status = source.stat()
    model = options.model or DEFAULT_VIDEO
    weights = store.locate(model)
    found = {
        "kdsharp": __version__,
        "PyAV": av.__version__,
        "size of the video": status.st_size,
        "time of the video": status.st_mtime_ns,
        "weights": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "frames in a segment": segments.FRAMES,
        **dataclasses.asdict(options),
        "model": model,
        "backend": backends.choose(options.backend, options.dtype),
        **{f"encoder's {k}": v for k, v in dataclasses.asdict(encoding).items()},
        "start": None if start is None else str(start),
        "duration": None if duration is None else str(duration),
        "deinterlace": deinterlace,
    }
    return json.loads(json.dumps(found))


@contextlib.contextmanager
def resumed(out: Path, wanted: dict) -> Iterator[segments.Folder]:
    """Yields the segments of a run with these parameters; removes them at its end.

    If the run fails, the segments are kept, if there are any.
    """
    path = folder(out)
    path.mkdir(parents=True, exist_ok=True)
    kept = segments.Folder(path)
    over = False
    with contextlib.ExitStack() as stack:
        busy = f"another run uses {path}: wait for it, or give OUT another name"
        stack.enter_context(locks.exclusive(path / "lock", busy))
        try:
            _compare(kept, wanted)
            yield kept
            over = True
        finally:
            over = over or not kept.kept
            # Windows cannot remove open files, such as the lock.
            stack.close()
            if over:
                shutil.rmtree(path, ignore_errors=True)


def _compare(kept: segments.Folder, wanted: dict) -> None:
    """Refuses segments of another command; saves the parameters if there are none."""
    file = kept.path / _PARAMETERS
    if not kept.kept or not file.exists():
        atomic_files.flush(kept.path.parent)
        text = json.dumps(wanted, indent=2) + "\n"
        atomic_files.write_text(file, text, durable=True)
        return
    before = json.loads(file.read_text())
    changed = [
        f"{name} was {before.get(name)} and is {wanted.get(name)}"
        for name in dict.fromkeys((*before, *wanted))
        if before.get(name) != wanted.get(name)
    ]
    if changed:
        raise UserError(
            f"{kept.path} belongs to another command ({'; '.join(changed)}): repeat "
            "that command, or remove the folder to start again"
        )
