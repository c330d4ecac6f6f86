"""Reads request bodies within limits."""

import asyncio

from starlette.requests import ClientDisconnect, Request

from kdsharp.web.serving import forms
from kdsharp.web.serving.limits import Limits
from kdsharp.web.serving.refusals import Refusal

# Bodies of up to this many times the limit are read and discarded before refusing.
_TAKEN_ANYWAY = 4


class Bodies:
    """Reads request bodies and limits their total memory."""

    def __init__(self, limits: Limits):
        self._limits = limits
        self._held = 0

    @property
    def held(self) -> int:
        """Bytes of bodies in memory."""
        return self._held

    def free(self, body: bytes) -> None:
        """Releases a body."""
        self._held -= len(body)

    async def read(self, request: Request) -> bytes:
        """Reads the body, or the file of a form; it counts until `free` is called."""
        body = bytearray()
        try:
            async with asyncio.timeout(self._limits.seconds):
                await self._check_length(request)
                async for piece in request.stream():
                    body += piece
                    self._held += len(piece)
                    self._check(len(body))
            file = forms.file(bytes(body), request.headers.get("content-type", ""))
        except TimeoutError:
            self._held -= len(body)
            raise Refusal(
                408, f"the picture did not arrive within {self._limits.seconds:g} s"
            ) from None
        except (Refusal, ClientDisconnect):
            self._held -= len(body)
            raise
        self._held -= len(body) - len(file)
        return file

    async def _check_length(self, request: Request) -> None:
        length = request.headers.get("content-length", "0")
        size = int(length) if length.isdecimal() else 0
        try:
            self._check(size)
        except Refusal:
            # Many clients read the response only after sending the whole body.
            if size <= _TAKEN_ANYWAY * self._limits.bytes:
                async for _ in request.stream():
                    pass
            raise

    def _check(self, size: int) -> None:
        if size > self._limits.bytes:
            raise Refusal(
                413,
                f"the file is larger than {self._limits.megabytes:g} MB, the limit of "
                "this server",
            )
        if self._held > self._limits.bytes_at_once:
            raise Refusal(503, "too many simultaneous uploads", again=5)
