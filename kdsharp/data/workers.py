"""Worker processes that prepare data, and end with their parent process."""

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
def exclusive_folder(
    folder: pathlib.Path, what: pathlib.Path | None = None
) -> Iterator[None]:
    """Locks a folder against other processes; messages call it `what`."""
    folder.mkdir(parents=True, exist_ok=True)
    busy = f"another process is preparing {what or folder}: wait until it is done"
    with locks.exclusive(folder / "lock", busy):
        yield


def run(
    work: Callable[[Job], Result], jobs: Sequence[Job], processes: int
) -> Iterator[Result]:
    """Yields the results of `work(job)` in order of completion."""
    if min(processes, len(jobs)) <= 1:
        yield from map(work, jobs)
        return
    # Workers exit when this end of the pipe is closed, even by SIGKILL.
    theirs, ours = multiprocessing.Pipe(duplex=False)
    pool = futures.ProcessPoolExecutor(
        min(processes, len(jobs)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_exit_with,
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
            "a worker process was killed, perhaps for lack of memory: run the same "
            "command again with fewer --processes; finished work is kept"
        ) from error
    finally:
        ours.close()
        pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _no_ctrl_c() -> Iterator[None]:
    """Blocks Ctrl-C for child processes started within; here it is only delayed."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _exit_with(parent: connection.Connection) -> None:
    """Ends this process as soon as the other end of the pipe is closed."""

    def wait():
        parent.poll(None)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
