"""`kdsharp eval`: scores networks on pictures or on encoded video."""

import argparse
import pathlib
from collections.abc import Sequence

from kdsharp.base import optional
from kdsharp.cli import options
from kdsharp.cli.verbs import Verbs, add_verb
from kdsharp.errors import UserError

# Options that are valid only without, and only with, --video.
_PICTURE_OPTIONS = ("pairs", "degradation", "shift", "protocol", "shave", "against")
_VIDEO_OPTIONS = (
    *("codecs", "rates", "sources", "player", "screens", "size", "pan"),
    *("frames", "backend", "dtype", "threads", "no_vmaf"),
)


def add(verbs: Verbs) -> None:
    """Adds `kdsharp eval`."""
    verb = add_verb(
        verbs, "eval", _eval, "score networks and compare them with an unsharp mask"
    )
    options.add_weights(verb)
    truth = verb.add_mutually_exclusive_group()
    truth.add_argument(
        "--data",
        metavar="DIR",
        type=pathlib.Path,
        help="sharp pictures, which are then degraded; with --video, also videos",
    )
    truth.add_argument(
        "--pairs",
        nargs=2,
        metavar=("BLURRED", "SHARP"),
        type=pathlib.Path,
        help="two files, or two folders whose files have the same names",
    )
    verb.add_argument(
        "--degradation",
        metavar="SPEC",
        help="how --data is degraded (default: bicubic:2)",
    )
    verb.add_argument(
        "--shift",
        metavar="N",
        type=int,
        help="rows and columns to cut off after degrading --data, so that the pixel "
        "grid of the degradation is shifted (default: 0)",
    )
    verb.add_argument(
        "--protocol", metavar="P", help="channels to score: rgb (default) or luma"
    )
    verb.add_argument(
        "--shave",
        metavar="N",
        type=int,
        help="border pixels to ignore (default: with luma, the degradation's factor; "
        "otherwise 0)",
    )
    verb.add_argument(
        "--against", metavar="W", help="a teacher to compare the other networks with"
    )
    verb.add_argument(
        "--out",
        metavar="DIR",
        type=pathlib.Path,
        help="folder for tables and crops; with --video, an interrupted run resumes "
        "from it",
    )
    _add_calls(verb)


def _add_calls(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--video",
        action="store_true",
        help="score on calls: real encoders, several bit rates and sources",
    )
    calls = verb.add_argument_group("with --video")
    calls.add_argument(
        "--codecs",
        nargs="+",
        metavar="C",
        help="h264 and vp8 (default), vp9, av1, hevc",
    )
    calls.add_argument(
        "--rates",
        nargs="+",
        metavar="N",
        type=int,
        help="kbit/s for 368x448 at 30 frames per second, scaled by area for other "
        "sizes (default: 86 172 345)",
    )
    calls.add_argument(
        "--sources", nargs="+", metavar="S", help="sharp, half, soft (default: all)"
    )
    calls.add_argument(
        "--player",
        metavar="P",
        help="filter that enlarges half-size video: bilinear (default, as browsers "
        "do), bicubic, lanczos",
    )
    calls.add_argument(
        "--screens",
        nargs="?",
        metavar="N",
        type=int,
        const=4,
        help="also score on N pages of text (default: none; without N, 4)",
    )
    calls.add_argument(
        "--size", metavar="WxH", help="size of the clips (default: 368x448)"
    )
    calls.add_argument(
        "--pan",
        metavar="P",
        type=float,
        help="pixels per frame by which panning clips move (default: 2)",
    )
    calls.add_argument(
        "--frames", metavar="N", type=int, help="frames per clip (default: 45)"
    )
    calls.add_argument(
        "--backend",
        metavar="B",
        help="auto (default: the fastest installed), openvino, onnxruntime, jax",
    )
    calls.add_argument(
        "--dtype", metavar="T", help="element type: float32 (default), bfloat16, int8"
    )
    calls.add_argument(
        "--no-vmaf",
        action="store_true",
        default=None,
        help="skip VMAF, which takes a third of the time",
    )
    calls.add_argument(
        "--threads",
        metavar="N",
        type=int,
        help="number of threads (default: one per core)",
    )


def _eval(arguments: argparse.Namespace) -> int:
    from kdsharp.base import compilation

    if arguments.video:
        _refuse(
            arguments, _PICTURE_OPTIONS, "goes without --video: leave out one of them"
        )
    else:
        _refuse(arguments, _VIDEO_OPTIONS, "goes with --video: add --video")
    compilation.enable_cache()
    if arguments.video:
        return _eval_calls(arguments)
    if arguments.data is None and arguments.pairs is None:
        raise UserError(
            "no pictures to score on: give --data DIR or --pairs BLURRED SHARP"
        )
    from kdsharp.commands import eval_pictures

    return eval_pictures.run(
        arguments.weights,
        data=arguments.data,
        pairs=arguments.pairs,
        degradation=arguments.degradation,
        shift=arguments.shift or 0,
        protocol=arguments.protocol or "rgb",
        shave=arguments.shave,
        against=arguments.against,
        out=arguments.out,
    )


def _eval_calls(arguments: argparse.Namespace) -> int:
    optional.require("av", purpose="video")
    from kdsharp.commands import eval_video
    from kdsharp.evaluation.calls.clips import Window
    from kdsharp.evaluation.calls.ladder import Ladder

    given = _given(arguments, "pan", "frames")
    if (size := options.parse_size(arguments.size)) is not None:
        given["size"] = size
    combined = {
        name: tuple(dict.fromkeys(values))
        for name, values in _given(arguments, "codecs", "rates", "sources").items()
    }
    return eval_video.run(
        arguments.weights,
        Ladder(window=Window(**given), **combined, **_given(arguments, "player")),
        data=arguments.data,
        pages=arguments.screens or 0,
        out=arguments.out,
        with_vmaf=not arguments.no_vmaf,
        **_given(arguments, "backend", "dtype", "threads"),
    )


def _given(arguments: argparse.Namespace, *names: str) -> dict:
    """Those of the named options that were given on the command line."""
    values = {name: getattr(arguments, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def _refuse(arguments: argparse.Namespace, names: Sequence[str], reason: str) -> None:
    for name in _given(arguments, *names):
        raise UserError(f"--{name.replace('_', '-')} {reason}")
