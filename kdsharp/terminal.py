"""What `kdsharp.main` and the command line say to a person, and how."""

import logging
import sys


def listen(level: int = logging.INFO) -> None:
    """Shows what this project says; of its libraries, only warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logging.getLogger().handlers[:] = [handler]
    logging.getLogger().setLevel(logging.WARNING)
    logging.getLogger("absl").setLevel(logging.ERROR)
    logging.getLogger("kdsharp").setLevel(level)


def fail(reason: object, status: int) -> int:
    """Returns the exit status, the reason told."""
    print(f"kdsharp: {reason}", file=sys.stderr)
    return status
