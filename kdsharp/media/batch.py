"""Many pictures one after another: read ahead and written behind, in bounded memory.

A thread reads what comes next and others write what is done, so that the one that
computes does not wait for either.
"""

import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Job = TypeVar("Job")
Read = TypeVar("Read")
Made = TypeVar("Made")

_AHEAD = 3
_WRITERS = 2


class Closed(Exception):
    """Nobody waits for the result any more."""


class Room(Generic[Job]):
    """So much of something, taken by one and given back by another.

    What is larger than the room gets all of it.
    """

    def __init__(self, capacity: int):
        self._capacity = self._free = capacity
        self._closed = False
        self._changed = threading.Condition()

    def take(self, amount: int) -> int:
        """Waits for that much; returns what was taken."""
        amount = min(amount, self._capacity)
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._free >= amount)
            if self._closed:
                raise Closed
            self._free -= amount
        return amount

    def give_back(self, amount: int) -> None:
        with self._changed:
            self._free += amount
            self._changed.notify_all()

    def close(self) -> None:
        """Lets nobody wait any longer."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def run(
    jobs: Sequence[Job],
    *,
    weigh: Callable[[Job], int],
    read: Callable[[Job], Read],
    prepare: Callable[[], Callable[[Job, Read], Made]],
    write: Callable[[Job, Made], None],
    room: int,
) -> Generator[tuple[Job, BaseException | None], None, None]:
    """Yields every job when it is done, in order, and what went wrong with it.

    `prepare` is called once, while the first job is read, and returns what computes.
    Jobs between reading and writing weigh no more than `room` together, or are one.
    """
    space = Room(room)
    readers = ThreadPoolExecutor(1, "read")
    writers = ThreadPoolExecutor(_WRITERS, "write")
    waiting = iter(jobs)
    reading: deque[tuple[Job, Future]] = deque()
    writing: deque[tuple[Job, Future]] = deque()

    def read_one(job: Job) -> tuple[int, Read]:
        # One thread takes room in the order in which jobs are computed: no later one
        # can hold what an earlier one waits for.
        taken = space.take(weigh(job))
        try:
            return taken, read(job)
        except BaseException:
            space.give_back(taken)
            raise

    def write_one(job: Job, taken: int, made: Made) -> None:
        try:
            write(job, made)
        finally:
            space.give_back(taken)

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
                    made = compute(job, found)
                except BaseException:
                    space.give_back(taken)
                    raise
                writing.append((job, writers.submit(write_one, job, taken, made)))
                del found, made
            except Exception as error:
                writing.append((job, _failed(error)))
            read_next()
            while writing and (writing[0][1].done() or len(writing) > _AHEAD):
                yield _ended(*writing.popleft())
        while writing:
            yield _ended(*writing.popleft())
    finally:
        space.close()
        readers.shutdown(cancel_futures=True)
        writers.shutdown(cancel_futures=True)


def _failed(error: Exception) -> Future:
    future: Future = Future()
    future.set_exception(error)
    return future


def _ended(job: Job, future: Future) -> tuple[Job, BaseException | None]:
    return job, future.exception()
