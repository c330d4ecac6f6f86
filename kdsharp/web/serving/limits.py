"""The limits of a server."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Limits:
    """`waiting` pictures may be queued, and `connections` may be open.

    `seconds` limits both the upload and the sharpening of a picture; `drain` limits
    requests in progress when the server is stopped.
    """

    megabytes: float = 32
    megapixels: float = 64
    waiting: int = 8
    seconds: float = 60
    connections: int = 256
    drain: float = 30

    @property
    def bytes(self) -> int:
        """Maximum size of one body."""
        return round(self.megabytes * 1e6)

    @property
    def bytes_at_once(self) -> int:
        """Maximum size of all bodies in memory."""
        return self.bytes * (self.waiting + 1)

    @property
    def answer_bytes(self) -> int:
        """Of answers that clients have not taken, for work on another to begin."""
        return 4 * self.bytes
