"""Trains: `python -m kdsharp.main --config=configs/student.py`.

Flags become a config, the config goes to one call.
"""

import sys
from pathlib import Path

from absl import app, flags
from ml_collections import config_flags

from kdsharp.base import terminal
from kdsharp.config_files import load_config
from kdsharp.errors import Stopped, UserError

_CONFIG = config_flags.DEFINE_config_file(
    "config",
    None,
    "An experiment, such as configs/student.py:full",
    # Terms join an objective by a flag; what else is new, `_check_entries` refuses.
    accept_new_attributes=True,
    lock_config=False,
)
_OPEN = ("objective.", "profile")
_QUOTES = "\"'"
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Where the run is kept; runs/NAME if not given"
)

_DISTRIBUTED = flags.DEFINE_bool(
    "distributed", False, "Whether this is one of several hosts; see launch/"
)


def main(argv: list[str]) -> int:
    """Returns the exit status."""
    terminal.configure_logging()
    if len(argv) > 1:
        return terminal.fail(f"{argv[1]!r} is not a flag; try --help", 2)
    # Late, so that --help and a mistyped flag need not wait for JAX.
    if _DISTRIBUTED.value:
        from kdsharp import cluster

        return cluster.run(_train)
    return _train()


def _train() -> int:
    from kdsharp import experiment

    config = _CONFIG.value
    try:
        experiment.set_up(config)
        experiment.run(config, Path(_WORKDIR.value or Path("runs") / config.name))
    except UserError as error:
        return terminal.fail(error, 2)
    except Stopped as stop:
        return terminal.fail(stop, stop.exit_status)
    except OSError as error:  # A full disk, a lost mount.
        return terminal.fail(
            f"{error}: what was saved stays; mend that and run the same command again",
            1,
        )
    return 0


def parse(argv: list[str]) -> list[str]:
    """Returns what is left of the command line once the flags are taken."""
    try:
        rest = flags.FLAGS(argv)
        _ = _CONFIG.value.name  # A config that did not load says so when asked.
        _check_entries()
        return rest
    except UserError as error:
        sys.exit(terminal.fail(error, 2))
    # What ml_collections raises depends on what is wrong with the config.
    except (flags.Error, AttributeError, KeyError, OSError, TypeError) as error:
        sys.exit(terminal.fail(f"{_gist(error)}; see --help", 2))


def _check_entries() -> None:
    """Says which flag sets what the config does not have."""
    flag = flags.FLAGS["config"]
    known = load_config(config_flags.get_config_filename(flag))
    for name in config_flags.get_override_values(flag):
        holder, _, entry = name.rpartition(".")
        held = known
        for part in holder.split(".") if holder else ():
            held = held.get(part, {})
        if entry not in held and not name.startswith(_OPEN):
            raise UserError(f"the config has no entry {name!r}")


def _gist(error: Exception) -> str:
    """Returns the one line of a flag's error that a person needs."""
    if isinstance(error, AttributeError | KeyError):
        return f"the config has no entry {str(error).strip(_QUOTES)!r}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if isinstance(error, flags.Error) and "config=None" in lines[0]:
        return "no --config given, such as --config=configs/student.py"
    for line in reversed(lines):
        kind, colon, reason = line.partition("Error: ")
        if colon and kind.isidentifier():
            return reason
    return lines[-1].partition("] ")[2] or lines[-1]


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    app.run(main, flags_parser=parse)
