"""The command `kdsharp`: arguments become one call.

Each of `_FILES` declares a verb and its arguments, or a group of verbs, in `add`. What
a verb needs is imported when it runs: `--help` waits for none of it.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from kdsharp import __version__
from kdsharp.base import terminal
from kdsharp.errors import Stopped, UserError

# The files that verbs are in, in the order of `--help`.
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
    """Returns the exit status."""
    arguments = _parse(argv)
    terminal.configure_logging()
    try:
        status = arguments.call(arguments) or 0
        sys.stdout.flush()
    except UserError as error:
        return terminal.fail(error, 2)
    except Stopped as stop:
        return terminal.fail(stop, stop.exit_status)
    except KeyboardInterrupt:
        return terminal.fail("interrupted", 130)
    except BrokenPipeError:  # Who reads has seen enough, as `head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:  # A full disk, a lost mount.
        return terminal.fail(
            f"{error}: what is done stays; mend that and run the same command again", 1
        )
    return status


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments; where a verb takes values of a config, also those `overrides`."""
    parser = _parser()
    arguments, others = parser.parse_known_args(argv)
    if others and not getattr(arguments, "takes_overrides", False):
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    arguments.overrides = others
    return arguments


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kdsharp", description="Sharpens pictures, and trains what does so."
    )
    parser.add_argument("--version", action="version", version=f"kdsharp {__version__}")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    for file in _FILES:
        importlib.import_module(f"{__name__}.{file}").add(verbs)
    return parser
