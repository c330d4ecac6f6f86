"""Processes many pictures with read-ahead and write-behind, in bounded memory.

One thread reads the next pictures and others write finished ones, so that the computing
thread never waits for files.
"""

import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Job = TypeVar("Job")
Read = TypeVar("Read")
Computed = TypeVar("Computed")

_AHEAD = 3
_WRITERS = 2


class Closed(Exception):
    """The budget was closed because nobody waits for results any more."""


class Budget(Generic[Job]):
    """A limited amount of a resource, shared between threads.

    A request for more than the capacity gets all of it.
    """

    def __init__(self, capacity: int):
        self._capacity = self._free = capacity
        self._closed = False
        self._changed = threading.Condition()

    def acquire(self, amount: int) -> int:
        """Waits for that much and returns the amount taken."""
        amount = min(amount, self._capacity)
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._free >= amount)
            if self._closed:
                raise Closed
            self._free -= amount
        return amount

    def release(self, amount: int) -> None:
        with self._changed:
            self._free += amount
            self._changed.notify_all()

    def close(self) -> None:
        """Makes all waiting and future calls of `acquire` raise `Closed`."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def run(
    jobs: Sequence[Job],
    *,
    size: Callable[[Job], int],
    read: Callable[[Job], Read],
    prepare: Callable[[], Callable[[Job, Read], Computed]],
    write: Callable[[Job, Computed], None],
    capacity: int,
) -> Generator[tuple[Job, BaseException | None], None, None]:
    """Runs all jobs; yields each in order when it is done, with its exception or None.

    `prepare` is called once, while the first job is read, and returns the function that
    computes. `size` tells the size of a job. The total size of jobs between reading
    and writing is at most `capacity`, unless a single job exceeds it.
    """
    budget = Budget(capacity)
    readers = ThreadPoolExecutor(1, "read")
    writers = ThreadPoolExecutor(_WRITERS, "write")
    waiting = iter(jobs)
    reading: deque[tuple[Job, Future]] = deque()
    writing: deque[tuple[Job, Future]] = deque()

    def read_one(job: Job) -> tuple[int, Read]:
        # A single thread draws on the budget in the order of the jobs, so that no later
        # job holds what an earlier one waits for.
        taken = budget.acquire(size(job))
        try:
            return taken, read(job)
        except BaseException:
            budget.release(taken)
            raise

    def write_one(job: Job, taken: int, computed: Computed) -> None:
        try:
            write(job, computed)
        finally:
            budget.release(taken)

    def read_next() -> None:
        job = next(waiting, None)
        if job is not None:
            reading.append((job, readers.submit(read_one, job)))

    try:
        for _ in range(_AHEAD):
            read_next()
        compute = prepare()
        while reading:
            job, coming = reading.popleft()
            try:
                taken, found = coming.result()
                del coming
                try:
                    computed = compute(job, found)
                except BaseException:
                    budget.release(taken)
                    raise
                writing.append((job, writers.submit(write_one, job, taken, computed)))
                del found, computed
            except Exception as error:
                writing.append((job, _failed(error)))
            read_next()
            while writing and (writing[0][1].done() or len(writing) > _AHEAD):
                yield _outcome(*writing.popleft())
        while writing:
            yield _outcome(*writing.popleft())
    finally:
        budget.close()
        readers.shutdown(cancel_futures=True)
        writers.shutdown(cancel_futures=True)


def _failed(error: Exception) -> Future:
    future: Future = Future()
    future.set_exception(error)
    return future


def _outcome(job: Job, future: Future) -> tuple[Job, BaseException | None]:
    return job, future.exception()
