"""Logging and error messages on standard error."""

import logging
import sys


def configure_logging(level: int = logging.INFO) -> None:
    """Shows kdsharp's messages from `level` up, and other libraries' warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logging.getLogger().handlers[:] = [handler]
    logging.getLogger().setLevel(logging.WARNING)
    logging.getLogger("absl").setLevel(logging.ERROR)
    logging.getLogger("kdsharp").setLevel(level)


def fail(reason: object, status: int) -> int:
    """Prints `kdsharp: REASON` and returns the exit status."""
    print(f"kdsharp: {reason}", file=sys.stderr)
    return status
