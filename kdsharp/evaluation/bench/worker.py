"""Runs a contender in its own process, with its own memory, threads and startup."""

import dataclasses
import multiprocessing
import os
import time
from multiprocessing.connection import Connection

from kdsharp.base import cores, machine
from kdsharp.errors import UserError
from kdsharp.evaluation.bench.backends import Settings, Subject

# The seed of the frames, which are generated for each turn, outside of its time.
_SEED = 0

# Seconds until a process that does not exit is terminated.
_EXIT_TIMEOUT = 5


@dataclasses.dataclass(frozen=True)
class Contender:
    """A backend, a network and settings; without a subject it times the peak."""

    backend: str
    subject: Subject | None
    settings: Settings
    batch: int
    height: int
    width: int


class WorkerLost(Exception):
    """The process of a contender failed; the message says why."""


class Worker:
    """The process of a contender; close it after use.

    `first` is the seconds from its start to its first frame.
    """

    def __init__(self, contender: Contender):
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(other, contender), daemon=True
        )
        began = time.monotonic()
        self._process.start()
        other.close()
        try:
            self._receive()
        except WorkerLost:
            self.close()
            raise
        self.first = time.monotonic() - began

    def turn(self) -> float:
        """Restores a batch of new frames; returns the seconds."""
        self._connection.send("turn")
        return self._receive()

    def memory(self) -> float:
        """The peak memory of the process in MB."""
        self._connection.send("memory")
        return self._receive()

    def close(self) -> None:
        """Ends the process."""
        self._connection.close()  # Makes the process exit.
        self._process.join(_EXIT_TIMEOUT)
        self._process.terminate()
        self._process.join()

    def _receive(self) -> float:
        try:
            answer = self._connection.recv()
        except (EOFError, OSError) as error:
            self._process.join()
            raise WorkerLost(
                f"its process ended with status {self._process.exitcode}; negative "
                "ones are signals, and -9 usually means too little memory"
            ) from error
        if isinstance(answer, str):
            raise WorkerLost(answer)
        return answer


def _serve(connection: Connection, contender: Contender) -> None:
    try:
        _use_cores(contender.settings.threads)  # Before libraries count the cores.
        take = _product() if contender.subject is None else _frames(contender)
        take()
        connection.send(0.0)
        while True:
            request = connection.recv()
            connection.send(
                take() if request == "turn" else machine.peak_memory() / 1e6
            )
    except (EOFError, KeyboardInterrupt):
        return
    except UserError as error:
        connection.send(str(error))
    except Exception as error:  # Backends raise errors of any type.
        lines = str(error).strip().splitlines() or [type(error).__name__]
        connection.send(f"{type(error).__name__}: {lines[0]}")


def _use_cores(count: int) -> None:
    if not count:
        return
    if not hasattr(os, "sched_setaffinity"):
        raise UserError(
            "this system cannot limit processes to some cores: leave out --threads"
        )
    here = cores.available()
    if count > len(here):
        raise UserError(f"{count} threads are more than the {len(here)} cores here")
    os.sched_setaffinity(0, here[:count])


def _frames(contender: Contender):
    import numpy as np

    from kdsharp.evaluation.bench import backends

    assert contender.subject is not None
    backend = backends.BACKENDS[contender.backend]
    run = backend.create(contender.subject, contender.settings)
    random = np.random.default_rng(_SEED)
    shape = (contender.batch, contender.height, contender.width)
    if contender.settings.pixels == "rgb":
        shape += (3,)

    def take() -> float:
        frames = random.integers(0, 256, shape, np.uint8)
        began = time.perf_counter()
        restored = run(frames)
        seconds = time.perf_counter() - began
        if restored.shape != shape or restored.dtype != np.uint8:
            raise UserError(f"frames came back as {restored.dtype} {restored.shape}")
        return seconds

    return take


def _product():
    from kdsharp.evaluation.bench import peak, turns

    multiply, _ = peak.matrix_product()
    return turns.timed(multiply)
