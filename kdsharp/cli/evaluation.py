"""`kdsharp eval`: numbers one can trust."""

import argparse
import pathlib

from kdsharp.cli.verbs import Verbs, add_verb


def add(verbs: Verbs) -> None:
    """Adds the verbs that measure."""
    _add_eval(verbs)


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
