"""`kdsharp plot`: draws training curves and measurements."""

import argparse
import pathlib

from kdsharp.cli import options
from kdsharp.cli.verbs import Verbs, add_group, add_verb


def add(verbs: Verbs) -> None:
    """Adds `kdsharp plot` and its verbs."""
    verbs = add_group(verbs, "plot", "draw training curves and measurements")
    runs = add_verb(verbs, "runs", _plot_runs, "plot the loss and a metric over steps")
    runs.add_argument("runs", nargs="+", metavar="RUN", type=pathlib.Path)
    tradeoff = add_verb(verbs, "tradeoff", _plot_tradeoff, "plot quality against speed")
    tradeoff.add_argument(
        "found",
        nargs="+",
        metavar="JSON",
        type=pathlib.Path,
        help="scores.json of kdsharp eval and speed.json of kdsharp bench",
    )
    for verb in (runs, tradeoff):
        verb.add_argument(
            "--metric", default="psnr", help="the metric to plot (default: %(default)s)"
        )
    residuals = add_verb(
        verbs,
        "residuals",
        _plot_residuals,
        "draw the residuals of a teacher and a student on pictures",
    )
    residuals.add_argument("teacher", metavar="TEACHER")
    residuals.add_argument("student", metavar="STUDENT")
    residuals.add_argument(
        "--data",
        metavar="PATH",
        type=pathlib.Path,
        required=True,
        help="a sharp picture, or a folder of sharp pictures",
    )
    options.add_degradation(residuals, "bicubic:2")
    for verb in (runs, tradeoff, residuals):
        verb.add_argument(
            "--out",
            metavar="FILE",
            type=pathlib.Path,
            required=True,
            help="the picture to write",
        )


def _plot_runs(arguments: argparse.Namespace) -> None:
    from kdsharp.commands import plot

    plot.draw_runs(arguments.runs, arguments.metric, arguments.out)


def _plot_tradeoff(arguments: argparse.Namespace) -> None:
    from kdsharp.commands import plot

    plot.draw_tradeoff(arguments.found, arguments.metric, arguments.out)


def _plot_residuals(arguments: argparse.Namespace) -> None:
    from kdsharp.base import compilation
    from kdsharp.commands import plot

    compilation.enable_cache()
    plot.draw_residuals(
        arguments.teacher,
        arguments.student,
        arguments.data,
        arguments.degradation,
        arguments.out,
    )
