"""`kdsharp eval`: networks scored on pictures or calls."""

import argparse
import pathlib
from collections.abc import Sequence

from kdsharp.base import optional
from kdsharp.cli.options import pixels
from kdsharp.cli.verbs import Verbs, add_verb
from kdsharp.errors import UserError

# What only one of the two ways of judging asks for.
_OF_PICTURES = ("pairs", "degradation", "shift", "protocol", "shave", "against")
_OF_CALLS = (
    *("codecs", "rates", "sources", "player", "screens", "size", "pan"),
    *("frames", "backend", "dtype", "threads", "no_vmaf"),
)


def add(verbs: Verbs) -> None:
    """Adds `kdsharp eval`."""
    verb = add_verb(verbs, "eval", _eval, "score networks beside an unsharp mask")
    verb.add_argument(
        "--weights",
        nargs="+",
        metavar="W",
        default=[],
        help="names that ship, .safetensors files or folders of runs",
    )
    judged_by = verb.add_mutually_exclusive_group()
    judged_by.add_argument(
        "--data",
        metavar="DIR",
        type=pathlib.Path,
        help="sharp pictures, blurred here; with --video, also videos",
    )
    judged_by.add_argument(
        "--pairs",
        nargs=2,
        metavar=("BLURRED", "SHARP"),
        type=pathlib.Path,
        help="two folders, or files, under the same names",
    )
    verb.add_argument(
        "--degradation", metavar="SPEC", help="of --data (default: bicubic:2)"
    )
    verb.add_argument(
        "--shift",
        metavar="N",
        type=int,
        help="rows and columns cut off after the blur of --data, for its grid not to "
        "be the picture's (default: 0)",
    )
    verb.add_argument("--protocol", metavar="P", help="rgb (default) or luma")
    verb.add_argument(
        "--shave",
        metavar="N",
        type=int,
        help="pixels at each border that do not count (default: of luma, the "
        "degradation's factor; else 0)",
    )
    verb.add_argument(
        "--against", metavar="W", help="a teacher: how near the others come to it"
    )
    verb.add_argument(
        "--out",
        metavar="DIR",
        type=pathlib.Path,
        help="where tables and crops go; with --video, what is done stays there, too, "
        "and an interrupted run goes on",
    )
    _add_calls(verb)


def _add_calls(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--video",
        action="store_true",
        help="judge on calls: real encoders, several rates and sources",
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
        help="kbit/s for 368x448 at 30 frames a second, scaled by area for other sizes "
        "(default: 86 172 345)",
    )
    calls.add_argument(
        "--sources", nargs="+", metavar="S", help="sharp, half, soft (default: all)"
    )
    calls.add_argument(
        "--player",
        metavar="P",
        help="how half size is enlarged: bilinear (default, as browsers do), bicubic, "
        "lanczos",
    )
    calls.add_argument(
        "--screens",
        nargs="?",
        metavar="N",
        type=int,
        const=4,
        help="judge on so many pages of text, too (default: none; without N, 4)",
    )
    calls.add_argument(
        "--size", metavar="WxH", help="of the window on a picture (default: 368x448)"
    )
    calls.add_argument(
        "--pan",
        metavar="P",
        type=float,
        help="pixels a frame by which the window moves (default: 2)",
    )
    calls.add_argument(
        "--frames", metavar="N", type=int, help="of a clip (default: 45)"
    )
    calls.add_argument(
        "--backend",
        metavar="B",
        help="auto (default: the fastest installed), openvino, onnxruntime, jax",
    )
    calls.add_argument("--dtype", metavar="T", help="float32 (default), bfloat16, int8")
    calls.add_argument(
        "--no-vmaf",
        action="store_true",
        default=None,
        help="leave out VMAF, which takes a third of the time",
    )
    calls.add_argument("--threads", metavar="N", type=int, help="cores (default: all)")


def _eval(arguments: argparse.Namespace) -> int:
    from kdsharp.base import compilation

    _refuse(
        arguments,
        *((_OF_PICTURES, "without") if arguments.video else (_OF_CALLS, "with")),
    )
    compilation.enable_cache()
    if arguments.video:
        return _eval_calls(arguments)
    if arguments.data is None and arguments.pairs is None:
        raise UserError("nothing to judge by: give --data DIR or --pairs BLURRED SHARP")
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
    if (size := pixels(arguments.size)) is not None:
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
    """The arguments that a person gave, of those names."""
    values = {name: getattr(arguments, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def _refuse(arguments: argparse.Namespace, names: Sequence[str], how: str) -> None:
    for name in _given(arguments, *names):
        advice = "add --video" if how == "with" else "leave out one of them"
        option = "--" + name.replace("_", "-")
        raise UserError(f"{option} goes {how} --video: {advice}")
