"""Bodies of requests that are refused before anybody reads them."""

import asyncio
import contextlib

from starlette.requests import ClientDisconnect, Request

# Bodies are discarded for at most this many seconds.
_SECONDS = 5


async def discard(request: Request) -> None:
    """Reads the body: many clients and proxies send all of it before they listen."""
    with contextlib.suppress(TimeoutError, ClientDisconnect):
        async with asyncio.timeout(_SECONDS):
            async for _ in request.stream():
                pass
