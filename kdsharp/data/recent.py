"""Results that were asked for last, kept, and made once even by many threads."""

import collections
import threading
from collections.abc import Callable
from concurrent import futures
from typing import Any


class Recent:
    """`make(index)` for the `kept` indices that were asked for last.

    Threads that ask for the same index at the same time wait for one of them. Pickled,
    it starts empty.
    """

    def __init__(self, make: Callable[[int], Any], kept: int):
        self._make = make
        self._kept = kept
        self._forget()

    def __call__(self, index: int) -> Any:
        with self._lock:
            future = self._futures.get(index)
            mine = future is None
            if mine:
                future = self._futures[index] = futures.Future()
            self._futures.move_to_end(index)
            while len(self._futures) > self._kept:
                self._futures.popitem(last=False)
        if mine:
            try:
                future.set_result(self._make(index))
            except BaseException as error:
                with self._lock:
                    self._futures.pop(index, None)
                future.set_exception(error)
        return future.result()

    def __getstate__(self) -> dict[str, Any]:
        return {"_make": self._make, "_kept": self._kept}

    def __setstate__(self, state: dict[str, Any]):
        self.__dict__.update(state)
        self._forget()

    def _forget(self):
        self._lock = threading.Lock()
        self._futures: collections.OrderedDict[int, futures.Future] = (
            collections.OrderedDict()
        )
