"""A pipeline of stages, each in its own thread, with bounded queues between them.

Fast stages wait for slow ones, so memory stays bounded.
"""

import collections
import dataclasses
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

# Enough to absorb single slow items.
_DEPTH = 4

# Polling interval of the main thread, in which Python handles signals.
_POLL = 0.1


class Cancelled(Exception):
    """Another stage failed."""


class Queue:
    """A bounded queue between two threads."""

    def __init__(self, depth: int = _DEPTH):
        self._items = collections.deque()
        self._depth = depth
        self._changed = threading.Condition()
        self._ended = self._cancelled = False

    def put(self, item: Any) -> None:
        """Adds an item, waiting for room."""
        with self._changed:
            self._changed.wait_for(
                lambda: len(self._items) < self._depth or self._cancelled
            )
            if self._cancelled:
                raise Cancelled
            self._items.append(item)
            self._changed.notify_all()

    def end(self) -> None:
        """Marks the end of the items."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def cancel(self) -> None:
        """Wakes up all waiting threads with Cancelled."""
        with self._changed:
            self._cancelled = True
            self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Any]:
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._items or self._ended or self._cancelled
                )
                if self._cancelled:
                    raise Cancelled
                if not self._items:
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item


@dataclasses.dataclass
class Stage:
    """A step of the pipeline and the time it was busy, not counting waiting."""

    name: str
    call: Callable[..., Any]
    busy: float = 0.0

    def timed(self, *arguments: Any) -> Any:
        """Calls the step and adds up its time."""
        begin = time.perf_counter()
        try:
            return self.call(*arguments)
        finally:
            self.busy += time.perf_counter() - begin


def run(
    source: Iterable[Any],
    first: str,
    stages: list[Stage],
    poll: Callable[[], None] = lambda: None,
) -> list[Stage]:
    """Runs the pipeline and returns its stages, that of the source first.

    The calling thread calls `poll` periodically. An exception in `poll` or in a
    stage ends all stages and is raised here.
    """
    items = iter(source)
    reading = Stage(first, lambda: next(items, _END))
    queues = [Queue() for _ in stages]
    failures: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except Cancelled:
            pass
        except BaseException as failure:
            failures.append(failure)
            for queue in queues:
                queue.cancel()

    def read() -> None:
        while (item := reading.timed()) is not _END:
            queues[0].put(item)
        queues[0].end()

    def work(index: int) -> None:
        stage, following = stages[index], queues[index + 1 : index + 2]
        for item in queues[index]:
            made = stage.timed(item)
            for queue in following:
                queue.put(made)
        for queue in following:
            queue.end()

    threads = [
        threading.Thread(target=guarded, args=(job,), daemon=True)
        for job in (read, *(_bound(work, index) for index in range(len(stages))))
    ]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            while thread.is_alive():
                thread.join(_POLL)
                poll()
    except BaseException:
        for queue in queues:
            queue.cancel()
        for thread in threads:
            thread.join()
        raise
    if failures:
        raise failures[0]
    return [reading, *stages]


_END = object()


def _bound(work: Callable[[int], None], index: int) -> Callable[[], None]:
    return lambda: work(index)
