"""`kdsharp train`: one experiment from its config to its report."""

import argparse
import json

from kdsharp.cli.verbs import Verbs, add_verb
from kdsharp.config_files import load_experiment


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
    config = load_experiment(arguments.config, arguments.overrides)
    if arguments.show:
        print(json.dumps(json.loads(config.to_json()), indent=2))
        return 0
    from kdsharp import main

    return main.train(config, arguments.workdir, distributed=arguments.distributed)
