"""The command line `kdsharp VERB`: parses the arguments and makes one call.

Each module in `_FILES` declares a verb, or a group of verbs, in its function `add`. A
verb imports what it needs when it runs, so that `--help` is fast.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from kdsharp import __version__
from kdsharp.base import optional, terminal
from kdsharp.errors import Stopped, UserError

# The modules that define verbs, in the order of `--help`.
_FILES = (
    "sharpen",
    "models",
    "batch",
    "video",
    "live",
    "desktop",
    "serve",
    "web",
    "mos",
    "data",
    "weights",
    "train",
    "ablate",
    "eval",
    "bench",
    "plot",
    "export",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status."""
    arguments = _parse(argv)
    terminal.configure_logging()
    try:
        status = arguments.call(arguments) or 0
        sys.stdout.flush()
    except UserError as error:
        return terminal.fail(error, 2)
    except ModuleNotFoundError as error:
        if not (lacking := optional.left_out(error)):
            raise
        return terminal.fail(lacking, 2)
    except Stopped as stop:
        return terminal.fail(stop, stop.exit_status)
    except KeyboardInterrupt:
        return terminal.fail("interrupted", 130)
    except BrokenPipeError:  # The reader, such as `head`, closed the pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:  # A full disk, a lost mount.
        return terminal.fail(
            f"{error}: finished output is kept; fix this and repeat the command", 1
        )
    return status


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parses `argv`; `overrides` holds the config flags of verbs that take them."""
    parser = _parser()
    arguments, others = parser.parse_known_args(argv)
    if others and not getattr(arguments, "takes_overrides", False):
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    arguments.overrides = others
    return arguments


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kdsharp",
        description="Sharpens pictures and videos, and trains the networks for it.",
    )
    parser.add_argument("--version", action="version", version=f"kdsharp {__version__}")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    for file in _FILES:
        importlib.import_module(f"{__name__}.{file}").add(verbs)
    return parser
