"""`kdsharp train`: one experiment from its config to its report."""

import argparse

from kdsharp.cli.verbs import Verbs, add_verb


def add(verbs: Verbs) -> None:
    """Adds `kdsharp train`."""
    train = add_verb(verbs, "train", _train, "train what a config describes")
    train.add_argument(
        "config",
        metavar="CONFIG[:VARIANT]",
        help="a file, such as configs/student.py:full, or the name of one in a clone's "
        "configs/, such as student",
    )
    train.add_argument(
        "--workdir",
        metavar="DIR",
        help="where the run is kept, and goes on if it is there (default: runs/NAME)",
    )
    train.add_argument(
        "--distributed",
        action="store_true",
        help="as one of several hosts; see launch/",
    )
    train.add_argument(
        "--show",
        action="store_true",
        help="print the complete config and train nothing",
    )
    train.epilog = "--config.NAME=VALUE changes a value, as --config.data.workers=4."
    train.set_defaults(takes_overrides=True)


def _train(arguments: argparse.Namespace) -> int:
    from kdsharp.commands import train

    return train.run(
        arguments.config,
        arguments.overrides,
        workdir=arguments.workdir,
        distributed=arguments.distributed,
        show=arguments.show,
    )
