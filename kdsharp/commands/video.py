"""`kdsharp video`: restores a video file."""

from pathlib import Path

from kdsharp.media.video import restore_file, timestamps
from kdsharp.media.video.encoding import Encoding
from kdsharp.runtime.options import RestoreOptions


def run(
    source: Path,
    out: Path,
    restore: RestoreOptions,
    encoding: Encoding,
    *,
    start: str | None,
    duration: str | None,
    deinterlace: bool,
    overwrite: bool,
    resume: bool,
) -> None:
    """Restores the file, or a part of it, and prints a report."""
    report = restore_file.restore(
        source,
        out,
        restore,
        encoding,
        start=None if start is None else timestamps.parse_seconds(start, "--start"),
        duration=(
            None
            if duration is None
            else timestamps.parse_seconds(duration, "--duration")
        ),
        deinterlace=deinterlace,
        overwrite=overwrite,
        resume=resume,
    )
    print(f"{out}, restored by {restore.model} in {restore.dtype}\n{report}")
