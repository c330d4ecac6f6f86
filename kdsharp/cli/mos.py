"""`kdsharp mos`: opinion studies, in which people rate pictures."""

import argparse
import pathlib

from kdsharp.cli import options
from kdsharp.cli.verbs import Verbs, add_group, add_verb


def add(verbs: Verbs) -> None:
    """Adds `mos new`, `mos serve`, `mos report` and `mos try`."""
    mos = add_group(verbs, "mos", "run an opinion study, in which people rate pictures")
    _add_new(mos)
    serve = _on_study(add_verb(mos, "serve", _serve, "serve the study to raters"))
    options.add_host(serve)
    serve.add_argument(
        "--port",
        metavar="N",
        type=int,
        default=8001,
        help="port to listen on (default: %(default)s)",
    )
    report = _on_study(add_verb(mos, "report", _report, "evaluate the ratings"))
    report.add_argument(
        "-o",
        "--out",
        metavar="DIR",
        type=pathlib.Path,
        help="folder for the report (default: STUDY/report)",
    )
    try_ = _on_study(add_verb(mos, "try", _try, "add synthetic raters, marked as such"))
    try_.add_argument(
        "--raters",
        metavar="N",
        type=int,
        default=24,
        help="number of raters (default: %(default)s)",
    )
    try_.add_argument(
        "--seed", metavar="N", type=int, default=0, help="random seed (default: 0)"
    )


def _add_new(mos: Verbs) -> None:
    new = _on_study(add_verb(mos, "new", _new, "create a study from pictures"))
    new.add_argument(
        "--images",
        metavar="DIR",
        type=pathlib.Path,
        required=True,
        help="sharp pictures, which are then degraded; the first ones are for training "
        "the raters",
    )
    new.add_argument(
        "--models",
        metavar="M",
        nargs="+",
        required=True,
        help="included networks, .safetensors files or folders of runs; input is the "
        "blurred picture, reference the sharp one",
    )
    options.add_degradation(new, "video_call")
    new.add_argument(
        "--size",
        metavar="WxH",
        default="640x480",
        help="size of the centre crop that is shown (default: %(default)s)",
    )
    for name, default, words in (
        ("training", 3, "training pictures, shown first"),
        ("repeats", 4, "pictures shown twice, to measure each rater's consistency"),
        ("seed", 0, "random seed of the degradation and the order"),
    ):
        new.add_argument(
            f"--{name}",
            metavar="N",
            type=int,
            default=default,
            help=f"{words} (default: %(default)s)",
        )
    new.add_argument(
        "--title",
        metavar="T",
        default="How sharp are these pictures?",
        help="heading of the page (default: %(default)s)",
    )


def _on_study(verb: argparse.ArgumentParser) -> argparse.ArgumentParser:
    verb.add_argument(
        "study", metavar="STUDY", type=pathlib.Path, help="the folder of the study"
    )
    return verb


def _new(arguments: argparse.Namespace) -> None:
    from kdsharp.commands import mos

    mos.new(
        arguments.study,
        images=arguments.images,
        models=arguments.models,
        degradation=arguments.degradation,
        size=arguments.size,
        training=arguments.training,
        repeats=arguments.repeats,
        title=arguments.title,
        seed=arguments.seed,
    )


def _serve(arguments: argparse.Namespace) -> None:
    options.require_server()
    from kdsharp.commands import mos

    mos.serve(arguments.study, host=arguments.host, port=arguments.port)


def _report(arguments: argparse.Namespace) -> None:
    from kdsharp.commands import mos

    mos.report(arguments.study, arguments.out)


def _try(arguments: argparse.Namespace) -> None:
    from kdsharp.commands import mos

    mos.try_(arguments.study, arguments.raters, seed=arguments.seed)
