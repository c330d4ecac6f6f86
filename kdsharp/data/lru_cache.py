"""A thread-safe cache of the most recently used results."""

import collections
import threading
from collections.abc import Callable
from concurrent import futures
from typing import Any


class LruCache:
    """Caches `make(index)` for the `size` most recently used indices.

    Threads that ask for the same index at the same time compute it once. A pickled
    cache starts empty.
    """

    def __init__(self, make: Callable[[int], Any], size: int):
        self._make = make
        self._size = size
        self._reset_cache()

    def __call__(self, index: int) -> Any:
        with self._lock:
            future = self._futures.get(index)
            mine = future is None
            if mine:
                future = self._futures[index] = futures.Future()
            self._futures.move_to_end(index)
            while len(self._futures) > self._size:
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
        return {"_make": self._make, "_size": self._size}

    def __setstate__(self, state: dict[str, Any]):
        self.__dict__.update(state)
        self._reset_cache()

    def _reset_cache(self):
        self._lock = threading.Lock()
        self._futures: collections.OrderedDict[int, futures.Future] = (
            collections.OrderedDict()
        )
