"""The hosts of a run: processes that train together, each with its own devices.

Without a call to `join`, this process is the only host. `on_primary_host` runs what one
host does for all. When a host is lost, all others exit with an error message.
"""

import ctypes
import itertools
import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import jax

# JAX's key-value store has no public name; orbax imports it from here, too.
from jax._src.distributed import global_state as _cluster

from kdsharp.errors import UserError

logger = logging.getLogger(__name__)

# Seconds until a silent host counts as lost, and until shutdown is given up.
_HEARTBEAT_TIMEOUT = 30
_SHUTDOWN_TIMEOUT = 15
# Seconds to wait at barriers, where another host may compile or load for long.
_BARRIER_TIMEOUT = 1800
_POLL = 5.0
_PREFIX = "kdsharp"
# Words in the errors of communication libraries when a host is gone.
_LOSS_MARKERS = (
    "gloo",
    "nccl",
    "coordination",
    "unavailable",
    "deadline_exceeded",
    "connection reset",
    "connection closed",
    "heartbeat",
    "barrier",
    "socket closed",
)
LOST_STATUS = 3
"""Exit status after the loss of another host."""


class HostLost(Exception):
    """Another host of the run is gone."""

    def __init__(self, who: str = "another host", cause: object = None):
        words = f" ({_first_line(cause)})" if cause else ""
        super().__init__(
            f"{who} is gone{words}: all hosts stop; run the same command on all hosts "
            "to continue from the newest checkpoint"
        )


def join(timeout: float = 300) -> None:
    """Joins the hosts that the environment describes.

    JAX detects Slurm, TPU pods and MPI; elsewhere set JAX_COORDINATOR_ADDRESS (of host
    0), JAX_NUM_PROCESSES and JAX_PROCESS_ID.
    """
    # It would catch SIGTERM, which the training loop handles itself.
    jax.config.update("jax_enable_preemption_service", False)
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    try:
        jax.distributed.initialize(
            num_processes=_number("JAX_NUM_PROCESSES"),
            process_id=_number("JAX_PROCESS_ID"),
            initialization_timeout=int(timeout),
            heartbeat_timeout_seconds=_HEARTBEAT_TIMEOUT,
            shutdown_timeout_seconds=_SHUTDOWN_TIMEOUT,
        )
    except (ValueError, TypeError) as error:
        raise UserError(
            f"--distributed found no hosts to join ({_first_line(error)}): start it "
            "with launch/local.py, Slurm or a TPU pod, or set JAX_COORDINATOR_ADDRESS, "
            "JAX_NUM_PROCESSES and JAX_PROCESS_ID"
        ) from error
    except RuntimeError as error:
        raise UserError(
            f"the hosts could not connect at {_cluster.coordinator_address} within "
            f"{timeout:g} s ({_first_line(error)})"
        ) from error
    _install_abort_handler()


def _client() -> Any:
    """The service that hosts tell each other by."""
    assert _cluster.client is not None
    return _cluster.client


def count() -> int:
    """The number of hosts."""
    return _cluster.num_processes if _cluster.client else 1


def index() -> int:
    """The index of this host."""
    return _cluster.process_id if _cluster.client else 0


def is_primary() -> bool:
    """Whether this is the primary host, which logs and writes files."""
    return index() == 0


def name() -> str:
    """The name of this host, such as `host 0 of 2`."""
    return f"host {index()} of {count()}"


_counter = itertools.count()


def _next_number() -> int:
    """The next number of a counter that all hosts increment in the same order."""
    return next(_counter)


def on_primary_host(call: Callable[[], Any]) -> Any:
    """Runs the call on the primary host only, and returns its result on all hosts.

    The result must be JSON-serialisable. UserError and OSError are raised on all hosts.
    """
    if count() == 1:
        return call()
    key = f"{_PREFIX}/turn/{_next_number()}"
    if is_primary():
        try:
            result = call()
        except (UserError, OSError) as error:
            _client().key_value_set(key, json.dumps({"error": str(error)}))
            raise
        _client().key_value_set(key, json.dumps({"result": result}))
        return result
    outcome = json.loads(_wait_for(key))
    if "error" in outcome:
        raise UserError(outcome["error"])
    return outcome["result"]


def all_true(here: bool) -> bool:
    """Whether the value is true on every host."""
    if count() == 1:
        return here
    folder = f"{_PREFIX}/said/{_next_number()}/"
    _client().key_value_set(f"{folder}{index()}", json.dumps(here))
    barrier()
    return all(json.loads(said) for _, said in _client().key_value_dir_get(folder))


def barrier() -> None:
    """Waits until all hosts have called this.

    Call it before the first collective operation: on CPUs these time out after half a
    minute.
    """
    if count() > 1:
        name = f"{_PREFIX}/meet/{_next_number()}"
        _client().wait_at_barrier(name, 1000 * _BARRIER_TIMEOUT)


def shut_down() -> None:
    """Disconnects from the other hosts."""
    if count() > 1:
        try:
            jax.distributed.shutdown()
        except Exception as error:  # The work is done, so errors do not matter.
            logger.debug("shutdown: %s", error)


def is_host_loss(error: BaseException) -> bool:
    """Whether an error means that another host is gone."""
    words = str(error).lower()
    return count() > 1 and any(word in words for word in _LOSS_MARKERS)


def exit_now(status: int) -> None:
    """Exits without waiting for threads, which may wait for a lost host for ever."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _wait_for(key: str) -> str:
    while True:
        try:
            return _client().blocking_key_value_get(key, int(_POLL * 1000))
        except Exception as error:
            if "DEADLINE_EXCEEDED" not in str(error):
                raise HostLost("host 0") from error


def _number(variable: str) -> int | None:
    text = os.environ.get(variable)
    if text is None:
        return None
    if not text.isdecimal():
        raise UserError(f"{variable} must be a number, not {text!r}")
    return int(text)


def _first_line(error: object) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:160]


def _install_abort_handler() -> None:
    """Makes this process exit with a message when JAX aborts it.

    JAX calls abort from another thread when a host is lost. A Python signal handler
    would only run in the main thread, which may be waiting for that host.
    """
    libc = ctypes.CDLL(None)
    libc.signal.argtypes = (ctypes.c_int, _SignalHandler)
    libc.signal.restype = ctypes.c_void_p
    libc.signal(signal.SIGABRT, _on_abort)


_SignalHandler = ctypes.CFUNCTYPE(None, ctypes.c_int)


@_SignalHandler
def _on_abort(number: int) -> None:
    loss = HostLost(cause="set TF_CPP_MIN_LOG_LEVEL=0 for details")
    print(f"kdsharp: {name()}: {loss}", file=sys.stderr)
    exit_now(LOST_STATUS)
