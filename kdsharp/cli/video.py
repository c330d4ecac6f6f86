"""`kdsharp video`: restores a video file."""

import argparse
import pathlib

from kdsharp.cli import options
from kdsharp.cli.verbs import Verbs, add_verb
from kdsharp.errors import UserError


def add(verbs: Verbs) -> None:
    """Adds `kdsharp video`."""
    video = add_verb(verbs, "video", _video, "restore a video file")
    video.add_argument("source", metavar="IN", type=pathlib.Path)
    video.add_argument(
        "out",
        metavar="OUT",
        type=pathlib.Path,
        help="the file to write: .mp4, .mkv, .mov, .webm, ...",
    )
    add_restore_options(video)
    add_encoding_options(video)
    video.add_argument(
        "--start", metavar="T", help="start at this time, in seconds or h:mm:ss"
    )
    video.add_argument(
        "--duration", metavar="T", help="stop after this time, in seconds or h:mm:ss"
    )
    video.add_argument(
        "--deinterlace",
        action="store_true",
        help="convert interlaced frames to progressive (default: fields are restored "
        "separately and stay interlaced)",
    )
    video.add_argument(
        "--overwrite", action="store_true", help="replace OUT if it exists"
    )
    video.add_argument(
        "--resume",
        action="store_true",
        help="store finished segments next to OUT, and resume from them if the command "
        "was interrupted",
    )


def add_restore_options(verb: argparse.ArgumentParser) -> None:
    """Adds the options that say how frames are restored."""
    options.add_model(verb, default=None)
    options.add_strength(verb, "video")
    verb.add_argument(
        "--size",
        metavar="WxH",
        help="resize to this size for the network, and back (default: no resizing)",
    )
    options.add_unsharp(verb)
    verb.add_argument(
        "--compare",
        action="store_true",
        help="split screen: leave the left half unchanged",
    )
    verb.add_argument(
        "--backend",
        metavar="B",
        default="auto",
        help="auto (default: the fastest installed), openvino, onnxruntime, jax",
    )
    verb.add_argument(
        "--dtype",
        metavar="T",
        default="auto",
        help="element type: float32, bfloat16, int8; auto (default) is bfloat16 if "
        "the processor computes in it, otherwise float32",
    )
    verb.add_argument(
        "--threads",
        metavar="N",
        type=int,
        default=0,
        help="number of threads for decoder, network and encoder each (default: one "
        "per core)",
    )
    options.add_device(verb)


def add_encoding_options(verb: argparse.ArgumentParser) -> None:
    """Adds the options that say how video is encoded."""
    verb.add_argument(
        "--codec",
        metavar="C",
        help="h264, hevc, av1, vp9, prores, ffv1, ... (default: the codec of IN if OUT "
        "can hold it, otherwise h264)",
    )
    verb.add_argument(
        "--crf",
        metavar="Q",
        type=float,
        help="constant rate factor of the encoder; lower is better (h264: 18)",
    )
    verb.add_argument(
        "--preset", metavar="P", help="speed preset of the encoder (h264: veryfast)"
    )


def restore_options(arguments: argparse.Namespace):
    """Makes the RestoreOptions that the command line asks for."""
    from kdsharp.base import optional

    optional.require("av", purpose="video")
    from kdsharp.runtime import backends
    from kdsharp.runtime.options import DEFAULT_VIDEO, RestoreOptions

    if arguments.threads < 0:
        raise UserError(f"--threads must be at least 0, not {arguments.threads}")
    return RestoreOptions(
        model=arguments.model or DEFAULT_VIDEO,
        strength=arguments.strength,
        backend=arguments.backend,
        dtype=backends.choose_dtype(
            arguments.dtype, arguments.backend, arguments.device
        ),
        threads=arguments.threads,
        device=arguments.device,
        size=options.parse_size(arguments.size),
        unsharp=arguments.unsharp,
        compare=arguments.compare,
    )


def encoding_options(arguments: argparse.Namespace, *, live: bool = False):
    """Makes the Encoding that the command line asks for."""
    from kdsharp.media.video.encoding import Encoding

    return Encoding(
        codec=arguments.codec,
        crf=arguments.crf,
        preset=arguments.preset,
        threads=arguments.threads,
        live=live,
    )


def _video(arguments: argparse.Namespace) -> None:
    options = restore_options(arguments)
    from kdsharp.commands import video

    video.run(
        arguments.source,
        arguments.out,
        options,
        encoding_options(arguments),
        start=arguments.start,
        duration=arguments.duration,
        deinterlace=arguments.deinterlace,
        overwrite=arguments.overwrite,
        resume=arguments.resume,
    )
