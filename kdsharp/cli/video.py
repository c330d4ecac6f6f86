"""`kdsharp video`: a video file becomes a restored one."""

import argparse
import pathlib

from kdsharp.cli.options import pixels
from kdsharp.cli.verbs import Verbs, add_verb
from kdsharp.errors import UserError


def add(verbs: Verbs) -> None:
    """Adds `kdsharp video`."""
    video = add_verb(verbs, "video", _video, "restore a video file")
    video.add_argument("source", metavar="IN", type=pathlib.Path)
    video.add_argument(
        "out", metavar="OUT", type=pathlib.Path, help="as .mp4, .mkv, .mov or .webm"
    )
    add_restoring(video)
    add_encoding(video)
    video.add_argument("--start", metavar="T", help="seconds, or h:mm:ss")
    video.add_argument("--duration", metavar="T", help="so much of it")
    video.add_argument(
        "--deinterlace",
        action="store_true",
        help="make whole frames of interlaced ones (default: each field is restored, "
        "and stays one)",
    )
    video.add_argument(
        "--overwrite", action="store_true", help="replace OUT where there is one"
    )
    video.add_argument(
        "--resume",
        action="store_true",
        help="keep what is done beside OUT, and go on from there where this command "
        "was interrupted",
    )


def add_restoring(verb: argparse.ArgumentParser) -> None:
    """Adds what says how a frame is restored."""
    verb.add_argument(
        "--model",
        metavar="NAME|FILE|RUN",
        help="weights that ship, a .safetensors file, or a finished run's folder",
    )
    verb.add_argument(
        "--strength",
        metavar="S",
        type=float,
        default=1.0,
        help="0 (the video as it is) to 1.5; 1 (default) is as trained",
    )
    verb.add_argument(
        "--size",
        metavar="WxH",
        help="what the network sees; resized back after (default: the video's)",
    )
    verb.add_argument(
        "--unsharp",
        metavar="A",
        type=float,
        default=0.0,
        help="then an unsharp mask of radius 1 and amount A, as 0.5 (default: none)",
    )
    verb.add_argument(
        "--compare",
        action="store_true",
        help="split screen: the left half stays as it is",
    )
    verb.add_argument(
        "--backend",
        metavar="B",
        default="auto",
        help="openvino, onnxruntime or jax (default: the fastest there is)",
    )
    verb.add_argument(
        "--dtype",
        metavar="T",
        default="float32",
        help="float32 (default), bfloat16, int8",
    )
    verb.add_argument(
        "--threads",
        metavar="N",
        type=int,
        default=0,
        help="for each of decoder, network, encoder (default: all cores)",
    )


def add_encoding(verb: argparse.ArgumentParser) -> None:
    """Adds what says how video is encoded."""
    verb.add_argument(
        "--codec",
        metavar="C",
        help="h264, hevc, av1, vp9, prores, ffv1, ... (default: a file's own where OUT "
        "can hold it, else h264)",
    )
    verb.add_argument(
        "--crf", metavar="Q", type=float, help="quality; lower is better (h264: 18)"
    )
    verb.add_argument(
        "--preset", metavar="P", help="the encoder's speed (h264: veryfast)"
    )


def restoring(arguments: argparse.Namespace):
    """Returns how frames are restored."""
    from kdsharp.base import optional

    optional.require("av", purpose="video")
    from kdsharp.runtime.options import DEFAULT_VIDEO, RestoreOptions

    if arguments.threads < 0:
        raise UserError(f"--threads must be at least 0, not {arguments.threads}")
    return RestoreOptions(
        model=arguments.model or DEFAULT_VIDEO,
        strength=arguments.strength,
        backend=arguments.backend,
        dtype=arguments.dtype,
        threads=arguments.threads,
        size=pixels(arguments.size),
        unsharp=arguments.unsharp,
        compare=arguments.compare,
    )


def encoding(arguments: argparse.Namespace, *, live: bool = False):
    """Returns how video is encoded."""
    from kdsharp.media.video.encoding import Encoding

    return Encoding(
        codec=arguments.codec,
        crf=arguments.crf,
        preset=arguments.preset,
        threads=arguments.threads,
        live=live,
    )


def _video(arguments: argparse.Namespace) -> None:
    frames = restoring(arguments)
    from kdsharp.commands import video

    video.run(
        arguments.source,
        arguments.out,
        frames,
        encoding(arguments),
        start=arguments.start,
        duration=arguments.duration,
        deinterlace=arguments.deinterlace,
        overwrite=arguments.overwrite,
        resume=arguments.resume,
    )
