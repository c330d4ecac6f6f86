"""Runs a program as one of several hosts."""

import logging
import os
import traceback
from collections.abc import Callable

# Silences the logs of the communication libraries; set before they are loaded.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "4")

from kdsharp.base import terminal
from kdsharp.errors import UserError
from kdsharp.training import hosts


def run(call: Callable[[], int]) -> int:
    """Joins the other hosts, runs the call, and returns its exit status."""
    try:
        hosts.join()
    except UserError as error:
        return terminal.fail(error, 2)
    # Orbax logs the tracebacks of errors that it raises as well.
    logging.getLogger("absl").setLevel(logging.CRITICAL)
    # Only the primary host logs what all hosts do.
    if not hosts.is_primary():
        terminal.configure_logging(logging.WARNING)
    try:
        status = call()
    except hosts.HostLost as loss:
        hosts.exit_now(terminal.fail(f"{hosts.name()}: {loss}", hosts.LOST_STATUS))
    except Exception as error:
        if hosts.is_host_loss(error):
            loss = hosts.HostLost(cause=error)
            hosts.exit_now(terminal.fail(f"{hosts.name()}: {loss}", hosts.LOST_STATUS))
        traceback.print_exc()
        hosts.exit_now(1)
    hosts.shut_down()
    return status
