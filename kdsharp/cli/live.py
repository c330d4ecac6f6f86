"""`kdsharp live`: restores a camera, the screen or a stream in real time."""

import argparse

from kdsharp.cli import video
from kdsharp.cli.verbs import Verbs, add_verb


def add(verbs: Verbs) -> None:
    """Adds `kdsharp live`."""
    live = add_verb(
        verbs, "live", _live, "restore a camera, the screen or a stream in real time"
    )
    live.add_argument(
        "source",
        metavar="IN",
        help="camera, /dev/videoN, screen, an address such as udp://HOST:PORT, or a "
        "file, which is read at its frame rate",
    )
    live.add_argument(
        "out",
        metavar="OUT",
        help="window, virtual (a camera for calls), /dev/videoN, udp://, rtp://, "
        "rtsp://, srt://, tcp:// or rtmp://, or a file",
    )
    video.add_restore_options(live)
    video.add_encoding_options(live)
    live.add_argument(
        "--duration",
        metavar="T",
        help="stop after this time, in seconds or h:mm:ss (default: run until Ctrl-C)",
    )
    live.add_argument(
        "--patience",
        metavar="S",
        type=float,
        default=30.0,
        help="seconds to wait for a stream to start or to return (default: 30)",
    )
    live.add_argument(
        "--input-format", metavar="F", help="an FFmpeg format, such as v4l2 or lavfi"
    )
    live.add_argument(
        "--input-option",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="an FFmpeg option for the input, such as video_size=1280x720",
    )
    live.add_argument(
        "--output-format", metavar="F", help="an FFmpeg format, such as mpegts"
    )
    live.add_argument(
        "--overwrite", action="store_true", help="replace OUT if it is a file"
    )


def _live(arguments: argparse.Namespace) -> None:
    options = video.restore_options(arguments)
    from kdsharp.commands import live

    live.run(
        arguments.source,
        arguments.out,
        options,
        video.encoding_options(arguments, live=True),
        input_format=arguments.input_format,
        input_options=arguments.input_option,
        output_format=arguments.output_format,
        duration=arguments.duration,
        patience=arguments.patience,
        overwrite=arguments.overwrite,
    )
