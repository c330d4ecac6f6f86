"""Ends HTTP connections whose other side is too slow."""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

# Seconds for the headers of a request, and for the client to receive the answer.
_FOR_HEADERS = 10.0
_FOR_ANSWER = 60.0


def protocol(seconds: float) -> type[asyncio.Protocol]:
    """The protocol of a server; `seconds` limits the upload and the processing each."""
    for_headers = min(_FOR_HEADERS, seconds)
    in_all = 2 * seconds + _FOR_ANSWER

    class TimedProtocol(H11Protocol):
        """Ends a connection that is too slow, at any stage of a request."""

        _timer: asyncio.TimerHandle | None = None
        _busy = False

        def connection_made(self, transport):
            super().connection_made(transport)
            self._await(for_headers)

        def data_received(self, data):
            super().data_received(data)
            busy = self.cycle is not None and not self.cycle.response_complete
            if busy != self._busy:
                self._busy = busy
                self._await(in_all if busy else for_headers)

        def on_response_complete(self):
            super().on_response_complete()
            self._busy = False
            self._await(for_headers)

        def connection_lost(self, exc):
            if self._timer:
                self._timer.cancel()
            super().connection_lost(exc)

        def _await(self, patience: float) -> None:
            if self._timer:
                self._timer.cancel()
            self._timer = self.loop.call_later(patience, self.transport.abort)

    return TimedProtocol
