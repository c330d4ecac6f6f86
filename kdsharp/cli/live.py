"""`kdsharp live`: a camera, the screen or a stream, restored as it comes."""

import argparse

from kdsharp.cli import video
from kdsharp.cli.verbs import Verbs, add_verb


def add(verbs: Verbs) -> None:
    """Adds `kdsharp live`."""
    live = add_verb(verbs, "live", _live, "restore a camera, the screen or a stream")
    live.add_argument(
        "source",
        metavar="IN",
        help="camera, /dev/videoN, screen, an address such as udp://HOST:PORT, or a "
        "file, played at its own pace",
    )
    live.add_argument(
        "out",
        metavar="OUT",
        help="window, /dev/videoN, udp://, rtp://, rtsp://, srt://, tcp:// or rtmp://, "
        "or a file",
    )
    video.add_restoring(live)
    video.add_encoding(live)
    live.add_argument(
        "--duration", metavar="T", help="for so long (default: until Ctrl-C)"
    )
    live.add_argument(
        "--patience",
        metavar="S",
        type=float,
        default=30.0,
        help="seconds to wait for a stream to come, or to come back (default: 30)",
    )
    live.add_argument(
        "--input-format", metavar="F", help="ffmpeg's name for it, as v4l2 or lavfi"
    )
    live.add_argument(
        "--input-option",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="of ffmpeg's for that input, as video_size=1280x720",
    )
    live.add_argument(
        "--output-format", metavar="F", help="ffmpeg's name for it, as mpegts"
    )
    live.add_argument(
        "--overwrite", action="store_true", help="replace OUT where it is a file"
    )


def _live(arguments: argparse.Namespace) -> None:
    frames = video.restoring(arguments)
    from kdsharp.commands import live

    live.run(
        arguments.source,
        arguments.out,
        frames,
        video.encoding(arguments, live=True),
        input_format=arguments.input_format,
        input_options=arguments.input_option,
        output_format=arguments.output_format,
        duration=arguments.duration,
        patience=arguments.patience,
        overwrite=arguments.overwrite,
    )
