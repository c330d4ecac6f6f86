"""`kdsharp train`: runs one experiment, from its config to its report."""

import argparse

from kdsharp.cli.verbs import Verbs, add_verb


def add(verbs: Verbs) -> None:
    """Adds `kdsharp train`."""
    train = add_verb(verbs, "train", _train, "train a network as a config describes")
    train.add_argument(
        "config",
        metavar="CONFIG[:VARIANT]",
        help="a config file, such as configs/student.py:full, or, in a clone, the name "
        "of one in configs/, such as student",
    )
    train.add_argument(
        "--workdir",
        metavar="DIR",
        help="work folder of the run, which is resumed if it exists (default: "
        "runs/NAME)",
    )
    train.add_argument(
        "--distributed",
        action="store_true",
        help="run as one of several hosts; see launch/",
    )
    train.add_argument(
        "--show",
        action="store_true",
        help="print the complete config and train nothing",
    )
    train.epilog = (
        "--config.NAME=VALUE changes a value of the config, such as "
        "--config.data.workers=4."
    )
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
