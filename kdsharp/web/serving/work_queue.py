"""One picture at a time, and a bounded queue of those that wait."""

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
# Of what was measured so far, the newest counts for so much.
_NEWEST = 0.2


class DeadlineExceeded(Exception):
    """Raised inside work that took longer than it may."""


class WorkQueue:
    """Does one piece of work after the other, in a thread of its own."""

    def __init__(self, limits: Limits):
        self._limits = limits
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="sharpen")
        self._usual = 1.0
        self.waiting = 0

    async def do(self, work: Callable[[Callable[[float], None]], Result]) -> Result:
        """Returns what the work returns; it is given what it must call now and then."""
        # One of those is at work.
        if self.waiting > self._limits.waiting:
            again = math.ceil(self._usual * self.waiting)
            raise Refusal(503, "too many pictures wait already", again=again)
        over = threading.Event()
        loop = asyncio.get_running_loop()
        self.waiting += 1
        future = loop.run_in_executor(self._pool, self._timed, work, over)
        # It counts as waiting until it ended, whether or not anybody still waits.
        future.add_done_callback(self._leave)
        try:
            async with asyncio.timeout(self._limits.seconds):
                return await asyncio.shield(future)
        except TimeoutError:
            raise Refusal(
                503,
                f"the picture was not done within {self._limits.seconds:g} s: send a "
                "smaller one, or try later",
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
            # Nobody may be left to hear it.
            future.exception()

    def close(self) -> None:
        """Lets nothing more begin."""
        self._pool.shutdown(wait=False, cancel_futures=True)
