"""Processes one picture at a time, with a bounded queue."""

import asyncio
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from kdsharp.web.serving.limits import Limits
from kdsharp.web.serving.refusals import Refusal

Result = TypeVar("Result")
# The weight of the newest measurement in the moving average.
_NEWEST = 0.2


class DeadlineExceeded(Exception):
    """Raised inside work that exceeds its time limit."""


class WorkQueue:
    """Runs one task after another in a thread."""

    def __init__(self, limits: Limits):
        self._limits = limits
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="sharpen")
        self._usual = 1.0
        self.waiting = 0

    async def do(self, work: Callable[[Callable[[float], None]], Result]) -> Result:
        """Runs a task; the task must call `progress` regularly."""
        # One of the waiting tasks is in progress.
        if self.waiting > self._limits.waiting:
            again = math.ceil(self._usual * self.waiting)
            raise Refusal(503, "the queue is full", again=again)
        over = threading.Event()
        loop = asyncio.get_running_loop()
        self.waiting += 1
        future = loop.run_in_executor(self._pool, self._timed, work, over)
        # It counts as waiting until it has ended, even if the client is gone.
        future.add_done_callback(self._leave)
        try:
            async with asyncio.timeout(self._limits.seconds):
                return await asyncio.shield(future)
        except TimeoutError:
            raise Refusal(
                503,
                f"the picture was not finished within {self._limits.seconds:g} s: send "
                "a smaller one, or try again later",
                again=math.ceil(self._usual),
            ) from None
        finally:
            over.set()

    def _timed(self, work, over: threading.Event):
        def progress(_: float = 0) -> None:
            if over.is_set():
                raise DeadlineExceeded

        start = time.perf_counter()
        progress()
        result = work(progress)
        spent = time.perf_counter() - start
        self._usual += _NEWEST * (spent - self._usual)
        return result

    def _leave(self, future: asyncio.Future) -> None:
        self.waiting -= 1
        if not future.cancelled():
            # Marks the exception as retrieved.
            future.exception()

    def close(self) -> None:
        """Cancels all waiting tasks."""
        self._pool.shutdown(wait=False, cancel_futures=True)
