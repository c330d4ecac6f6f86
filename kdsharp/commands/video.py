"""`kdsharp video`: a video file becomes a restored one."""

from pathlib import Path

from kdsharp.media.video import restore_file, timestamps
from kdsharp.media.video.encoding import Encoding
from kdsharp.media.video.restoring import Restoring


def run(
    source: Path,
    out: Path,
    frames: Restoring,
    encoding: Encoding,
    *,
    start: str | None,
    duration: str | None,
    deinterlace: bool,
    overwrite: bool,
) -> None:
    """Restores the file, or the part of it, and prints how it went."""
    report = restore_file.restore(
        source,
        out,
        frames,
        encoding,
        start=None if start is None else timestamps.seconds(start, "--start"),
        duration=(
            None if duration is None else timestamps.seconds(duration, "--duration")
        ),
        deinterlace=deinterlace,
        overwrite=overwrite,
    )
    print(f"{out}, restored by {frames.model}\n{report}")
