"""`kdsharp live`: restores a stream in real time."""

from collections.abc import Sequence

from kdsharp.errors import UserError
from kdsharp.media.video import timestamps
from kdsharp.media.video.encoding import Encoding
from kdsharp.media.video.live import streaming
from kdsharp.runtime.options import RestoreOptions


def run(
    source: str,
    out: str,
    restore: RestoreOptions,
    encoding: Encoding,
    *,
    input_format: str | None,
    input_options: Sequence[str],
    output_format: str | None,
    duration: str | None,
    patience: float,
    overwrite: bool,
) -> None:
    """Restores the stream until it ends and prints a report.

    `input_options` are FFmpeg options, such as `video_size=1280x720`.
    """
    options = {}
    for text in input_options:
        name, equals, value = text.partition("=")
        if not equals:
            raise UserError(f"--input-option must be NAME=VALUE, not {text!r}")
        options[name] = value
    seconds = duration and timestamps.parse_seconds(duration, "--duration")
    report = streaming.restore(
        source,
        out,
        restore,
        encoding,
        input_format=input_format,
        input_options=options,
        output_format=output_format,
        duration=None if seconds is None else float(seconds),
        patience=patience,
        overwrite=overwrite,
    )
    print(f"{out}, restored by {restore.model} in {restore.dtype}\n{report}")
