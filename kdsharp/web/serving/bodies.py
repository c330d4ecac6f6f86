"""Reads what is sent, as far as limits allow."""

import asyncio

from starlette.requests import ClientDisconnect, Request

from kdsharp.web.serving import forms
from kdsharp.web.serving.limits import Limits
from kdsharp.web.serving.refusals import Refusal

# Of what is too large, so many times the limit is read and dropped.
_TAKEN_ANYWAY = 4


class Bodies:
    """Reads bodies; together they take no more memory than the limits say."""

    def __init__(self, limits: Limits):
        self._limits = limits
        self._held = 0

    @property
    def held(self) -> int:
        """Bytes of bodies that are here now."""
        return self._held

    def free(self, body: bytes) -> None:
        """Says that a body is no longer here."""
        self._held -= len(body)

    async def read(self, request: Request) -> bytes:
        """Returns the body, or the file of a form; it counts until it is freed."""
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
        told = request.headers.get("content-length", "0")
        size = int(told) if told.isdecimal() else 0
        try:
            self._check(size)
        except Refusal:
            # Many hear an answer only once all that they send was taken.
            if size <= _TAKEN_ANYWAY * self._limits.bytes:
                async for _ in request.stream():
                    pass
            raise

    def _check(self, size: int) -> None:
        if size > self._limits.bytes:
            raise Refusal(
                413,
                f"the file is larger than {self._limits.megabytes:g} MB, which is the "
                "most that this server takes",
            )
        if self._held > self._limits.bytes_at_once:
            raise Refusal(503, "too many pictures arrive at once", again=5)
