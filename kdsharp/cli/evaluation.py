"""`kdsharp eval`, `bench` and `plot`: numbers one can trust."""

import argparse
import json
import os
import pathlib
from collections.abc import Sequence

from kdsharp.cli.options import pixels
from kdsharp.cli.verbs import Verbs, add_group, add_verb
from kdsharp.errors import UserError


def add(verbs: Verbs) -> None:
    """Adds the verbs that measure."""
    _add_eval(verbs)
    _add_bench(verbs)
    _add_plot(add_group(verbs, "plot", "draw what was measured"))


def _add_eval(verbs: Verbs) -> None:
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


# What only one of the two ways of judging asks for.
_OF_PICTURES = ("pairs", "degradation", "shift", "protocol", "shave", "against")
_OF_CALLS = (
    *("codecs", "rates", "sources", "player", "screens", "size", "pan"),
    *("frames", "backend", "dtype", "threads", "no_vmaf"),
)


def _add_bench(verbs: Verbs) -> None:
    verb = add_verb(verbs, "bench", _bench, "time networks, each in its own process")
    verb.add_argument(
        "--weights",
        nargs="+",
        metavar="W",
        default=[],
        help="names that ship, .safetensors files or folders of runs",
    )
    verb.add_argument(
        "--config",
        nargs="+",
        metavar="CONFIG",
        default=[],
        help="experiments, whose networks are timed with random numbers",
    )
    verb.add_argument(
        "--size",
        nargs="+",
        metavar="S",
        default=["720p"],
        help="360p, 480p, 720p (default), 1080p, 1440p, 2160p, or WIDTHxHEIGHT",
    )
    verb.add_argument("--batch", metavar="N", type=int, default=1, help="(default: 1)")
    verb.add_argument(
        "--threads", metavar="N", type=int, default=0, help="cores (default: all)"
    )
    verb.add_argument(
        "--dtype",
        nargs="+",
        metavar="T",
        default=["float32"],
        help="float32 (default), bfloat16, int8",
    )
    verb.add_argument(
        "--backend",
        nargs="+",
        metavar="B",
        help="all (default: those that are installed), jax, openvino, onnxruntime, "
        "torch, torch-compiled, openvino-defaults, onnxruntime-defaults, ncnn",
    )
    verb.add_argument(
        "--pixels",
        metavar="P",
        default="rgb",
        help="what networks of luma are given: rgb (default), plane as video has it",
    )
    verb.add_argument(
        "--frames",
        metavar="N",
        type=int,
        default=50,
        help="calls to time of each (default: %(default)s)",
    )
    verb.add_argument(
        "--seconds",
        metavar="S",
        type=float,
        default=30,
        help="for the slowest's calls, of which there are five at least "
        "(default: %(default)s)",
    )
    verb.add_argument("--out", metavar="DIR", type=pathlib.Path, help="where tables go")


def _add_plot(verbs: Verbs) -> None:
    runs = add_verb(verbs, "runs", _plot_runs, "draw loss and a metric over steps")
    runs.add_argument("runs", nargs="+", metavar="RUN", type=pathlib.Path)
    tradeoff = add_verb(verbs, "tradeoff", _plot_tradeoff, "draw quality against speed")
    tradeoff.add_argument(
        "found",
        nargs="+",
        metavar="JSON",
        type=pathlib.Path,
        help="scores.json of kdsharp eval and speed.json of kdsharp bench",
    )
    for verb in (runs, tradeoff):
        verb.add_argument("--metric", default="psnr", help="(default: %(default)s)")
    residuals = add_verb(
        verbs, "residuals", _plot_residuals, "draw what two networks add to pictures"
    )
    residuals.add_argument("teacher", metavar="TEACHER")
    residuals.add_argument("student", metavar="STUDENT")
    residuals.add_argument(
        "--data",
        metavar="PATH",
        type=pathlib.Path,
        required=True,
        help="a sharp picture, or a folder of some",
    )
    residuals.add_argument(
        "--degradation",
        metavar="SPEC",
        default="bicubic:2",
        help="(default: %(default)s)",
    )
    for verb in (runs, tradeoff, residuals):
        verb.add_argument(
            "--out",
            metavar="FILE",
            type=pathlib.Path,
            required=True,
            help="the picture to write",
        )


def _plot_runs(arguments: argparse.Namespace) -> None:
    from kdsharp.evaluation.plots import command

    command.of_runs(arguments.runs, arguments.metric, arguments.out)


def _plot_tradeoff(arguments: argparse.Namespace) -> None:
    from kdsharp.evaluation.plots import command

    command.of_tradeoff(arguments.found, arguments.metric, arguments.out)


def _plot_residuals(arguments: argparse.Namespace) -> None:
    from kdsharp import machine
    from kdsharp.evaluation.plots import command

    machine.keep_compiled()
    command.of_residuals(
        arguments.teacher,
        arguments.student,
        arguments.data,
        arguments.degradation,
        arguments.out,
    )


def _bench(arguments: argparse.Namespace) -> int:
    # Several processes share a graphics card: none may take all its memory at once.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    from kdsharp.config_files import load_experiment
    from kdsharp.evaluation.bench import command

    configs = {}
    for path in arguments.config:
        config = load_experiment(path)
        configs[config.name] = json.loads(config.model.to_json())
    return command.run(
        arguments.weights,
        configs,
        sizes=arguments.size,
        batch=arguments.batch,
        threads=arguments.threads,
        dtypes=arguments.dtype,
        backends=arguments.backend,
        pixels=arguments.pixels,
        frames=arguments.frames,
        seconds=arguments.seconds,
        out=arguments.out,
    )


def _eval(arguments: argparse.Namespace) -> int:
    from kdsharp import machine

    _refuse(
        arguments,
        *((_OF_PICTURES, "without") if arguments.video else (_OF_CALLS, "with")),
    )
    machine.keep_compiled()
    if arguments.video:
        return _eval_calls(arguments)
    if arguments.data is None and arguments.pairs is None:
        raise UserError("nothing to judge by: give --data DIR or --pairs BLURRED SHARP")
    from kdsharp.evaluation.quality import command

    return command.run(
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
    from kdsharp.evaluation.calls import command
    from kdsharp.evaluation.calls.clips import Window
    from kdsharp.evaluation.calls.ladder import Ladder

    given = _given(arguments, "pan", "frames")
    if (size := pixels(arguments.size)) is not None:
        given["size"] = size
    combined = {
        name: tuple(dict.fromkeys(values))
        for name, values in _given(arguments, "codecs", "rates", "sources").items()
    }
    return command.run(
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
