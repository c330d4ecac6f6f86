"""The hosts of a run: processes that train as one, each with devices of its own.

A program that has not called `join` is the only host. What one host does for all goes
through `by_first`; a host that is lost ends all others with a sentence.
"""

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NoAnswer
from typing import Any

import jax
import numpy as np

# The store by which hosts know of one another has no public name; orbax takes it
# from here, too.
from jax._src.distributed import global_state as _cluster
from jax.experimental import multihost_utils

from kdsharp.errors import UserError

logger = logging.getLogger(__name__)

# Seconds: between signs of life, until a silent host is given up, and until JAX would
# do so, which ends a process without a sentence.
_BEAT = 1.0
_SILENCE = 20.0
_LAST_RESORT = 60
_LEAVING = 15
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


class Lost(Exception):
    """Another host is gone."""

    def __init__(self, who: str = "another host", cause: Exception | None = None):
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
            heartbeat_timeout_seconds=_LAST_RESORT,
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
    _Watch().start()


def count() -> int:
    """Returns how many hosts there are."""
    return _cluster.num_processes if _cluster.client else 1


def index() -> int:
    """Returns which of them this one is."""
    return _cluster.process_id if _cluster.client else 0


def is_first() -> bool:
    """Returns whether this host is the one that logs and writes."""
    return index() == 0


def name() -> str:
    """Returns what this host is called."""
    return f"host {index()} of {count()}"


_turn = 0


def by_first(call: Callable[[], Any]) -> Any:
    """Returns what the call gives on the first host, which alone makes it.

    It must fit into JSON. What a person did wrong there is raised on all hosts.
    """
    if count() == 1:
        return call()
    global _turn
    key, _turn = f"{_PREFIX}/turn/{_turn}", _turn + 1
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
    """Returns whether it is true on every host."""
    if count() == 1:
        return here
    return bool(np.all(multihost_utils.process_allgather(np.asarray(here))))


def leave() -> None:
    """Parts from the others in good order."""
    if count() > 1:
        _Watch.ended.set()
        try:
            jax.distributed.shutdown()
        except (
            Exception
        ) as error:  # The work is done: who is slow to go changes nothing.
            logger.debug("leaving: %s", error)


def is_loss(error: BaseException) -> bool:
    """Returns whether an error tells that another host is gone."""
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
            # The watch ends this process if the first host is gone.
            if "DEADLINE_EXCEEDED" not in str(error):
                raise Lost("host 0") from error


def _number(variable: str) -> int | None:
    text = os.environ.get(variable)
    if text is None:
        return None
    if not text.isdecimal():
        raise UserError(f"{variable} is {text!r}: it must be a number")
    return int(text)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:160]


class _Watch(threading.Thread):
    """Tells the others that this host lives, and ends it when another does not."""

    ended = threading.Event()

    def __init__(self):
        super().__init__(daemon=True, name="hosts")
        self._asking = ThreadPoolExecutor(1, "hosts")
        self._beats = 0
        self._heard: dict[str, tuple[str, float]] = {}

    def run(self) -> None:
        while not self.ended.wait(_BEAT):
            try:
                beats = self._asking.submit(self._exchange).result(_SILENCE)
            except NoAnswer:
                self._give_up("host 0")
            except Exception:
                if not self.ended.is_set():
                    self._give_up("host 0")
            else:
                self._judge(beats)

    def _exchange(self) -> list[tuple[str, str]]:
        self._beats += 1
        folder = f"{_PREFIX}/alive/"
        _cluster.client.key_value_set(
            f"{folder}{index()}", str(self._beats), allow_overwrite=True
        )
        return _cluster.client.key_value_dir_get(folder)

    def _judge(self, beats: list[tuple[str, str]]) -> None:
        now = time.monotonic()
        for key, beat in beats:
            before, since = self._heard.get(key, ("", now))
            self._heard[key] = (beat, since if beat == before else now)
        silent = [
            key.rpartition("/")[2]
            for key, (_, since) in self._heard.items()
            if now - since > _SILENCE
        ]
        if silent and not self.ended.is_set():
            self._give_up(f"host {', '.join(sorted(silent))}")

    def _give_up(self, who: str) -> None:
        print(f"kdsharp: {name()}: {Lost(who)}", file=sys.stderr)
        end(LOST)
