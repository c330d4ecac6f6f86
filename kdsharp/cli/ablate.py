"""`kdsharp ablate`: compares training methods, with and without a teacher."""

import argparse
import pathlib

from kdsharp.cli.verbs import Verbs, add_verb


def add(verbs: Verbs) -> None:
    """Adds `kdsharp ablate`."""
    ablate = add_verb(
        verbs, "ablate", _ablate, "train one student by several methods and compare"
    )
    ablate.add_argument(
        "config", metavar="CONFIG", help="an ablation config: configs/ablation.py"
    )
    ablate.add_argument(
        "--out",
        metavar="DIR",
        default="runs/ablation",
        help="folder for the runs and the table; unfinished runs in it are resumed "
        "(default: %(default)s)",
    )
    ablate.add_argument(
        "--source", help="training pictures, such as folder:photos (default: config's)"
    )
    ablate.add_argument(
        "--methods",
        metavar="A,B",
        help="only these methods, and the baseline (default: all)",
    )
    ablate.add_argument(
        "--seeds", metavar="N", type=int, help="number of seeds, counted from 0"
    )
    ablate.add_argument(
        "--steps", metavar="N", type=int, help="training steps of each run"
    )


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
