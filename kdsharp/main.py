"""Trains an experiment: `python -m kdsharp.main --config=configs/student.py`.

`kdsharp train` makes the same call.
"""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from absl import app, flags

from kdsharp.base import terminal
from kdsharp.config_files import load_experiment
from kdsharp.errors import Stopped, UserError

if TYPE_CHECKING:
    from ml_collections import ConfigDict

_CONFIG = flags.DEFINE_string(
    "config",
    None,
    "An experiment, such as configs/student.py:full; --config.NAME=VALUE changes one "
    "of its values",
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Where the run is kept; runs/NAME if not given"
)
_DISTRIBUTED = flags.DEFINE_bool(
    "distributed", False, "Whether this is one of several hosts; see launch/"
)
_OVERRIDE = re.compile(r"--?(no)?config\.[^=]+(=.*)?", re.DOTALL)


def main(argv: list[str]) -> int:
    """Trains the config of the flags, with the overrides in `argv`; the exit status."""
    terminal.configure_logging()
    try:
        config = load_experiment(_CONFIG.value or "", argv[1:])
    except UserError as error:
        return terminal.fail(error, 2)
    return train(config, _WORKDIR.value, distributed=_DISTRIBUTED.value)


def train(
    config: "ConfigDict", workdir: str | None = None, *, distributed: bool = False
) -> int:
    """Runs one experiment, optionally as one of several hosts; returns the status."""
    folder = Path(workdir or Path("runs") / config.name)
    if not distributed:
        return _train(config, folder)
    # Imported late, so that --help and mistyped flags do not wait for JAX.
    from kdsharp import cluster

    return cluster.run(lambda: _train(config, folder))


def _train(config: "ConfigDict", folder: Path) -> int:
    from kdsharp import experiment

    try:
        experiment.set_up(config)
        experiment.run(config, folder)
    except UserError as error:
        return terminal.fail(error, 2)
    except Stopped as stop:
        return terminal.fail(stop, stop.exit_status)
    except OSError as error:  # A full disk, a lost mount.
        return terminal.fail(
            f"{error}: saved checkpoints are kept; fix this and repeat the command",
            1,
        )
    return 0


def parse(argv: list[str]) -> list[str]:
    """Parses the flags; returns the program's name and the config overrides."""
    try:
        flags.FLAGS.set_gnu_getopt()
        overrides, strays = _split_overrides(flags.FLAGS(argv, known_only=True)[1:])
        if strays:  # absl suggests similar flags for mistyped ones.
            strays = flags.FLAGS([argv[0], *strays])[1:]
    except flags.Error as error:
        message = str(error).splitlines()[-1]
        if "config=None" in message:
            message = "no --config given, such as --config=configs/student.py"
        sys.exit(terminal.fail(f"{message}; see --help", 2))
    if strays:
        sys.exit(terminal.fail(f"{strays[0]!r} is not a flag; try --help", 2))
    return [argv[0], *overrides]


def _split_overrides(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Splits arguments into config overrides with their values, and all others."""
    overrides, strays, waiting = [], [], False
    for argument in arguments:
        match = _OVERRIDE.fullmatch(argument)
        if match or (waiting and not argument.startswith("--")):
            overrides.append(argument)
        else:
            strays.append(argument)
        waiting = bool(match and match[2] is None)
    return overrides, strays


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    app.run(main, flags_parser=parse)
