"""The hosts of a run: processes that train as one, each with devices of its own.

A program that has not called `join` is the only host. What one host does for all goes
through `on_primary_host`; a host that is lost ends all others with a sentence.
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

# The store by which hosts know of one another has no public name; orbax takes it
# from here, too.
from jax._src.distributed import global_state as _cluster

from kdsharp.errors import UserError

logger = logging.getLogger(__name__)

# Seconds until a silent host is given up, and for which hosts wait at the end.
_SILENCE = 30
_LEAVING = 15
# And for which they wait where one may compile or read for long.
_PATIENCE = 1800
_POLL = 5.0
_PREFIX = "kdsharp"
# How the ways in which hosts talk call it when one is not there.
_GONE = (
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
LOST = 3
"""The exit status of a host that lost another."""


class HostLost(Exception):
    """Another host is gone."""

    def __init__(self, who: str = "another host", cause: object = None):
        words = f" ({_first_line(cause)})" if cause else ""
        super().__init__(
            f"{who} is gone{words}: all stop; the newest checkpoint is kept, the same "
            "command on all hosts goes on from it"
        )


def join(timeout: float = 300) -> None:
    """Makes this process one of the hosts that the environment describes.

    Slurm, TPU pods and MPI are known to JAX; elsewhere JAX_COORDINATOR_ADDRESS (of host
    0), JAX_NUM_PROCESSES and JAX_PROCESS_ID say it.
    """
    # It would swallow SIGTERM, on which hosts here agree themselves.
    jax.config.update("jax_enable_preemption_service", False)
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    try:
        jax.distributed.initialize(
            num_processes=_number("JAX_NUM_PROCESSES"),
            process_id=_number("JAX_PROCESS_ID"),
            initialization_timeout=int(timeout),
            heartbeat_timeout_seconds=_SILENCE,
            shutdown_timeout_seconds=_LEAVING,
        )
    except (ValueError, TypeError) as error:
        raise UserError(
            f"--distributed finds no hosts to join ({_first_line(error)}): start it "
            "with launch/local.py, Slurm or a TPU pod, or set JAX_COORDINATOR_ADDRESS, "
            "JAX_NUM_PROCESSES and JAX_PROCESS_ID"
        ) from error
    except RuntimeError as error:
        raise UserError(
            f"the hosts did not meet at {_cluster.coordinator_address} within "
            f"{timeout:g} s ({_first_line(error)})"
        ) from error
    _speak_when_aborted()


def count() -> int:
    """The number of hosts."""
    return _cluster.num_processes if _cluster.client else 1


def index() -> int:
    """The index of this host."""
    return _cluster.process_id if _cluster.client else 0


def is_first() -> bool:
    """Whether this host is the one that logs and writes."""
    return index() == 0


def name() -> str:
    """The name of this host."""
    return f"host {index()} of {count()}"


_turns = itertools.count()


def _next_turn() -> int:
    """A counter with the same value on all hosts, which act in the same order."""
    return next(_turns)


def on_primary_host(call: Callable[[], Any]) -> Any:
    """Runs the call on the first host alone, and gives its result to all.

    It must fit into JSON. What a person did wrong there is raised on all hosts.
    """
    if count() == 1:
        return call()
    key = f"{_PREFIX}/turn/{_next_turn()}"
    if is_first():
        try:
            result = call()
        except (UserError, OSError) as error:
            _cluster.client.key_value_set(key, json.dumps({"error": str(error)}))
            raise
        _cluster.client.key_value_set(key, json.dumps({"result": result}))
        return result
    outcome = json.loads(_wait_for(key))
    if "error" in outcome:
        raise UserError(outcome["error"])
    return outcome["result"]


def all_true(here: bool) -> bool:
    """Whether the value is true on every host."""
    if count() == 1:
        return here
    folder = f"{_PREFIX}/said/{_next_turn()}/"
    _cluster.client.key_value_set(f"{folder}{index()}", json.dumps(here))
    meet()
    return all(
        json.loads(said) for _, said in _cluster.client.key_value_dir_get(folder)
    )


def meet() -> None:
    """Waits until all hosts have called this.

    What talks between CPUs gives up after half a minute, so that hosts should not come
    much later than others to where they first talk.
    """
    if count() > 1:
        name = f"{_PREFIX}/meet/{_next_turn()}"
        _cluster.client.wait_at_barrier(name, 1000 * _PATIENCE)


def leave() -> None:
    """Parts from the others in good order."""
    if count() > 1:
        try:
            jax.distributed.shutdown()
        except (
            Exception
        ) as error:  # The work is done: who is slow to go changes nothing.
            logger.debug("leaving: %s", error)


def is_loss(error: BaseException) -> bool:
    """Whether an error means that another host is gone."""
    words = str(error).lower()
    return count() > 1 and any(word in words for word in _GONE)


def end(status: int) -> None:
    """Ends this process now: what waits for a lost host would wait for ever."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _wait_for(key: str) -> str:
    while True:
        try:
            return _cluster.client.blocking_key_value_get(key, int(_POLL * 1000))
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


def _speak_when_aborted() -> None:
    """Lets this process end with a sentence where JAX would abort it.

    JAX does so, from a thread of its own, when a host has been silent for too long or
    the first one is gone. Python's own handlers would wait for the main thread, which
    waits for that host.
    """
    libc = ctypes.CDLL(None)
    libc.signal.argtypes = (ctypes.c_int, _HANDLER)
    libc.signal.restype = ctypes.c_void_p
    libc.signal(signal.SIGABRT, _aborted)


_HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_int)


@_HANDLER
def _aborted(number: int) -> None:
    loss = HostLost(cause="TF_CPP_MIN_LOG_LEVEL=0 in the environment tells more")
    print(f"kdsharp: {name()}: {loss}", file=sys.stderr)
    end(LOST)
