"""`kdsharp ablate`: does distillation help, and which kind?"""

import argparse
import pathlib

from kdsharp.cli.verbs import Verbs, add_verb
from kdsharp.errors import UserError


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
    for name in ("seeds", "steps"):
        if (value := getattr(arguments, name)) is not None and value < 1:
            raise UserError(f"--{name} must be at least 1, not {value}")
    from kdsharp import ablation, machine

    spec, base = ablation.load(arguments.config)
    if arguments.seeds:
        spec.seeds = tuple(range(arguments.seeds))
    if arguments.steps:
        spec.steps = arguments.steps
    if arguments.methods:
        chosen = [name.strip() for name in arguments.methods.split(",")]
        ablation.choose(spec, chosen)
    if arguments.source:
        base.data.source = arguments.source
    out = pathlib.Path(arguments.out)
    machine.set_up(base)
    print(ablation.conduct(spec, base, out))
    print(f"\ntable     {out / 'ablation.md'}")
    if (out / "ablation.png").exists():
        print(f"plot      {out / 'ablation.png'}")
