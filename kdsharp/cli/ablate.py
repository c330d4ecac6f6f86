"""`kdsharp ablate`: does distillation help, and which kind?"""

import argparse
import pathlib

from kdsharp.cli.verbs import Verbs, add_verb


def add(verbs: Verbs) -> None:
    """Adds `kdsharp ablate`."""
    ablate = add_verb(
        verbs, "ablate", _ablate, "train a student by every method, and compare"
    )
    ablate.add_argument(
        "config", metavar="CONFIG", help="an ablation, such as configs/ablation.py"
    )
    ablate.add_argument(
        "--out",
        metavar="DIR",
        default="runs/ablation",
        help="where runs and table go; what is there goes on (default: %(default)s)",
    )
    ablate.add_argument("--source", help="pictures, as folder:photos")
    ablate.add_argument(
        "--methods", metavar="A,B", help="some of them; the baseline joins"
    )
    ablate.add_argument("--seeds", metavar="N", type=int, help="so many, from 0 on")
    ablate.add_argument("--steps", metavar="N", type=int, help="of every training")


def _ablate(arguments: argparse.Namespace) -> None:
    from kdsharp.commands import ablate

    ablate.run(
        arguments.config,
        pathlib.Path(arguments.out),
        source=arguments.source,
        methods=arguments.methods,
        seeds=arguments.seeds,
        steps=arguments.steps,
    )
