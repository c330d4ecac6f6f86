"""A program as one of several hosts: joined at the start, left at the end."""

import logging
import os
import traceback
from collections.abc import Callable

# Of what the hosts' own libraries say, a person needs no line: before they are loaded.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "4")

from kdsharp.base import terminal
from kdsharp.errors import UserError
from kdsharp.training import hosts


def run(call: Callable[[], int]) -> int:
    """Returns the exit status of the call, made once all hosts are there."""
    try:
        hosts.join()
    except UserError as error:
        return terminal.fail(error, 2)
    # Orbax writes a traceback of what it raises, too: of a lost host, a sentence tells.
    logging.getLogger("absl").setLevel(logging.CRITICAL)
    # What all hosts do alike, one of them tells.
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
