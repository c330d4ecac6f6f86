"""Stages that work at the same time, each in a thread, with short queues between.

A queue is bounded: what is fast waits for what is slow, and memory stays what it is.
"""

import collections
import dataclasses
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

# Enough that a stage that takes longer for once does not hold up the next.
_DEPTH = 4

# How often the main thread looks up: Python hears of signals only there.
_GLANCE = 0.1


class Cancelled(Exception):
    """Another stage failed."""


class Queue:
    """What one thread gives and another takes, so many at a time."""

    def __init__(self, depth: int = _DEPTH):
        self._items = collections.deque()
        self._depth = depth
        self._changed = threading.Condition()
        self._ended = self._cancelled = False

    def put(self, item: Any) -> None:
        """Returns when there was room."""
        with self._changed:
            self._changed.wait_for(
                lambda: len(self._items) < self._depth or self._cancelled
            )
            if self._cancelled:
                raise Cancelled
            self._items.append(item)
            self._changed.notify_all()

    def end(self) -> None:
        """Says that nothing more comes."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def cancel(self) -> None:
        """Lets whoever waits go."""
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
    """A step, and how long it has worked; waiting is not work."""

    name: str
    call: Callable[..., Any]
    busy: float = 0.0

    def timed(self, *arguments: Any) -> Any:
        """Returns what the step makes of the item."""
        begin = time.perf_counter()
        try:
            return self.call(*arguments)
        finally:
            self.busy += time.perf_counter() - begin


def run(
    source: Iterable[Any],
    first: str,
    stages: list[Stage],
    glance: Callable[[], None] = lambda: None,
) -> list[Stage]:
    """Returns the stages, that of the source first, when the last has had it all.

    `glance` is called now and then by the calling thread; what it raises, and what a
    stage raises, ends every stage and is raised here.
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
                thread.join(_GLANCE)
                glance()
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
