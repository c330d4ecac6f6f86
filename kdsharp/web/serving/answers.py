"""Answers that clients have yet to take, which are bounded as bodies are."""

import threading
from collections.abc import Callable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

# Bytes sent at once, so that a slow client's connection holds no second copy.
_PIECE = 1 << 18
# Seconds after which work that waits for room looks whether anybody still wants it.
_LOOK = 0.2


class Answers:
    """Counts the bytes of answers in memory, of which there may be `most`."""

    def __init__(self, most: int):
        self._most = most
        self._changed = threading.Condition()
        self._held = 0

    @property
    def held(self) -> int:
        """Bytes of answers that are here now."""
        return self._held

    def add(self, count: int) -> None:
        """Counts an answer until it is taken; of a negative count, it was."""
        with self._changed:
            self._held += count
            self._changed.notify_all()

    def wait_for_room(self, progress: Callable[[float], None]) -> None:
        """Waits until slow clients have taken enough; `progress` ends it by raising."""
        with self._changed:
            while self._held > self._most:
                self._changed.wait(_LOOK)
                progress(0)


class HeldAnswer(Response):
    """A file that is sent in pieces and counts as held until it was, or cannot be."""

    def __init__(self, file: bytes, media_type: str, answers: Answers):
        super().__init__(
            file, media_type=media_type, headers={"Cache-Control": "no-store"}
        )
        self._answers = answers
        answers.add(len(file))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        whole = memoryview(self.body)
        start = {"status": self.status_code, "headers": self.raw_headers}
        try:
            await send({"type": "http.response.start", **start})
            for at in range(0, len(whole), _PIECE):
                piece = {
                    "body": bytes(whole[at : at + _PIECE]),
                    "more_body": at + _PIECE < len(whole),
                }
                await send({"type": "http.response.body", **piece})
        finally:
            self._answers.add(-len(whole))
