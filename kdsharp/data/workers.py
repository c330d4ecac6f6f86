"""Processes that prepare data side by side, and end with the one that began them."""

import contextlib
import multiprocessing
import os
import pathlib
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from concurrent.futures import process
from multiprocessing import connection
from typing import TypeVar

from kdsharp.base import locks
from kdsharp.errors import UserError

Job = TypeVar("Job")
Result = TypeVar("Result")


@contextlib.contextmanager
def only_one(folder: pathlib.Path, what: pathlib.Path | None = None) -> Iterator[None]:
    """Holds a folder, which no other process may hold at the same time.

    Messages call it `what`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locks.exclusive(folder / "lock"))
        except locks.LockedError as error:
            raise UserError(
                f"another process prepares {what or folder}: wait until it is done"
            ) from error
        yield


def run(
    work: Callable[[Job], Result], jobs: Sequence[Job], processes: int
) -> Iterator[Result]:
    """Yields what `work` returns for each job, as it ends, in any order."""
    if min(processes, len(jobs)) <= 1:
        yield from map(work, jobs)
        return
    # A worker ends when this end of the pipe is closed, if only by SIGKILL.
    theirs, ours = multiprocessing.Pipe(duplex=False)
    pool = futures.ProcessPoolExecutor(
        min(processes, len(jobs)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_depend_on,
        initargs=(theirs,),
    )
    try:
        with _no_ctrl_c():
            running = [pool.submit(work, job) for job in jobs]
        for done in futures.as_completed(running):
            yield done.result()
        pool.shutdown()
    except process.BrokenProcessPool as error:
        raise UserError(
            "a process that prepared data was ended, perhaps for lack of memory: run "
            "the same command again with fewer --processes; what is done is kept"
        ) from error
    finally:
        ours.close()
        pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _no_ctrl_c() -> Iterator[None]:
    """Processes that start meanwhile never see Ctrl-C; this one sees it afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _depend_on(parent: connection.Connection) -> None:
    """Lets this process end with the one that holds the pipe's other end."""

    def wait():
        parent.poll(None)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
