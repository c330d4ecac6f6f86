"""Graceful stop: finishes requests in progress and refuses new ones."""

import asyncio
import contextlib
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kdsharp.web.serving import unread

_HEADERS = {"Retry-After": "5", "Connection": "close"}


class Drain:
    """Tracks the requests in progress, and whether the server is stopping."""

    def __init__(self, seconds: float):
        self._seconds = seconds
        self._limits: set[asyncio.Timeout] = set()
        self.started = False

    @property
    def done(self) -> bool:
        """Whether the server is stopping and no requests are left."""
        return self.started and not self._limits

    def start(self) -> None:
        """Refuses new requests, and limits the time of those in progress."""
        self.started = True
        end = asyncio.get_running_loop().time() + self._seconds
        for limit in self._limits:
            limit.reschedule(end)

    @contextlib.asynccontextmanager
    async def request(self) -> AsyncIterator[None]:
        """Tracks a request during the context; raises TimeoutError at the limit."""
        async with asyncio.timeout(None) as limit:
            self._limits.add(limit)
            try:
                yield
            finally:
                self._limits.discard(limit)


class Draining:
    """Answers 503 to requests that arrive or are unfinished while stopping."""

    def __init__(self, app: ASGIApp, drain: Drain):
        self._app = app
        self._drain = drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif self._drain.started:
            await unread.discard(Request(scope, receive))
            await _refusal()(scope, receive, send)
        else:
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            async with self._drain.request():
                await self._app(scope, receive, noted)
        except TimeoutError:
            if not self._drain.started:
                raise
            if not begun:
                await _refusal()(scope, receive, send)


class Server(uvicorn.Server):
    """Drains on SIGTERM or Ctrl-C; a second signal ends it at once."""

    def __init__(
        self, config: uvicorn.Config, drain: Drain, *, on_start: Callable[[], None]
    ):
        super().__init__(config)
        self._drain = drain
        self._on_start = on_start
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets=None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        # Signals are handled from here on.
        self._on_start()

    async def on_tick(self, counter: int) -> bool:
        return self._drain.done or await super().on_tick(counter)

    def handle_exit(self, sig, frame) -> None:
        self._captured_signals.append(sig)
        if self._drain.started or self._loop is None:
            self.should_exit = self.force_exit = True
        else:
            self._loop.call_soon_threadsafe(self._drain.start)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ends normally after SIGTERM; raises KeyboardInterrupt after Ctrl-C."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        signals = (signal.SIGTERM, signal.SIGINT)
        before = {number: signal.signal(number, self.handle_exit) for number in signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        if signal.SIGINT in self._captured_signals:
            raise KeyboardInterrupt


def _refusal() -> JSONResponse:
    sentence = "this server is stopping: try again in a few seconds"
    return JSONResponse({"error": sentence}, 503, headers=_HEADERS)
