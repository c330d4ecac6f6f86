"""`kdsharp eval`, `bench` and `plot`: numbers one can trust."""

import argparse
import json
import os
import pathlib

from kdsharp.cli.verbs import Verbs, add_group, add_verb


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
    judged_by = verb.add_mutually_exclusive_group(required=True)
    judged_by.add_argument(
        "--data", metavar="DIR", type=pathlib.Path, help="sharp pictures, blurred here"
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
        "--protocol", metavar="P", default="rgb", help="rgb (default) or luma"
    )
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
        "--out", metavar="DIR", type=pathlib.Path, help="where tables and crops go"
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
    from kdsharp.evaluation import plot_command

    plot_command.of_runs(arguments.runs, arguments.metric, arguments.out)


def _plot_tradeoff(arguments: argparse.Namespace) -> None:
    from kdsharp.evaluation import plot_command

    plot_command.of_tradeoff(arguments.found, arguments.metric, arguments.out)


def _plot_residuals(arguments: argparse.Namespace) -> None:
    from kdsharp import machine
    from kdsharp.evaluation import plot_command

    machine.keep_compiled()
    plot_command.of_residuals(
        arguments.teacher,
        arguments.student,
        arguments.data,
        arguments.degradation,
        arguments.out,
    )


def _bench(arguments: argparse.Namespace) -> int:
    # Several processes share a graphics card: none may take all its memory at once.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    from kdsharp.config_files import load_config
    from kdsharp.evaluation.bench import command

    configs = {}
    for path in arguments.config:
        config = load_config(path)
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
    from kdsharp.evaluation import quality_command

    machine.keep_compiled()
    return quality_command.run(
        arguments.weights,
        data=arguments.data,
        pairs=arguments.pairs,
        degradation=arguments.degradation,
        protocol=arguments.protocol,
        shave=arguments.shave,
        against=arguments.against,
        out=arguments.out,
    )
