"""`kdsharp mos`: people are asked how pictures look."""

import argparse
import pathlib

from kdsharp.cli import options
from kdsharp.cli.verbs import Verbs, add_group, add_verb


def add(verbs: Verbs) -> None:
    """Adds `mos new`, `mos serve`, `mos report` and `mos try`."""
    mos = add_group(verbs, "mos", "ask people how pictures look")
    _add_new(mos)
    serve = _on_study(add_verb(mos, "serve", _serve, "ask people, over HTTP"))
    options.add_host(serve)
    serve.add_argument(
        "--port", metavar="N", type=int, default=8001, help="default: %(default)s"
    )
    report = _on_study(add_verb(mos, "report", _report, "tell what they said"))
    report.add_argument(
        "-o",
        "--out",
        metavar="DIR",
        type=pathlib.Path,
        help="where to write (default: STUDY/report)",
    )
    play = _on_study(
        add_verb(mos, "try", _try, "add raters that a program plays, marked as such")
    )
    play.add_argument(
        "--raters", metavar="N", type=int, default=24, help="default: %(default)s"
    )
    play.add_argument("--seed", metavar="N", type=int, default=0)


def _add_new(mos: Verbs) -> None:
    new = _on_study(add_verb(mos, "new", _new, "make a study of pictures"))
    new.add_argument(
        "--images",
        metavar="DIR",
        type=pathlib.Path,
        required=True,
        help="sharp pictures, blurred here; the first is for raters to learn by",
    )
    new.add_argument(
        "--models",
        metavar="M",
        nargs="+",
        required=True,
        help="names that ship, .safetensors files, folders of runs; input is the "
        "blurred picture, reference the sharp one",
    )
    new.add_argument(
        "--degradation",
        metavar="SPEC",
        default="video_call",
        help="what blurs them (default: %(default)s)",
    )
    new.add_argument(
        "--size",
        metavar="WxH",
        default="640x480",
        help="their middles, shown pixel for pixel (default: %(default)s)",
    )
    for name, default, words in (
        ("training", 3, "shown first, to learn by"),
        ("repeats", 4, "shown twice, to see how steady a rater is"),
        ("seed", 0, "of the blur and of orders"),
    ):
        new.add_argument(
            f"--{name}",
            metavar="N",
            type=int,
            default=default,
            help=f"{words} (default: %(default)s)",
        )
    new.add_argument("--title", metavar="T", default="How sharp are these pictures?")


def _on_study(verb: argparse.ArgumentParser) -> argparse.ArgumentParser:
    verb.add_argument("study", metavar="STUDY", type=pathlib.Path, help="its folder")
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
    options.need_server()
    from kdsharp.commands import mos

    mos.serve(arguments.study, host=arguments.host, port=arguments.port)


def _report(arguments: argparse.Namespace) -> None:
    from kdsharp.commands import mos

    mos.report(arguments.study, arguments.out)


def _try(arguments: argparse.Namespace) -> None:
    from kdsharp.commands import mos

    mos.try_(arguments.study, arguments.raters, seed=arguments.seed)
