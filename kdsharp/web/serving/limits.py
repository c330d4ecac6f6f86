"""What a server takes on at most."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Limits:
    """`waiting` are pictures in line, `connections` whoever talks at once.

    `seconds` is for a body to arrive, and again for a picture to be sharpened; `drain`
    is for all that is in progress when the server is told to stop.
    """

    megabytes: float = 32
    megapixels: float = 64
    waiting: int = 8
    seconds: float = 60
    connections: int = 256
    drain: float = 30

    @property
    def bytes(self) -> int:
        """Of one body."""
        return round(self.megabytes * 1e6)

    @property
    def bytes_at_once(self) -> int:
        """Of all bodies that arrive or wait."""
        return self.bytes * (self.waiting + 1)

    @property
    def answer_bytes(self) -> int:
        """Of answers that clients have not taken, for work on another to begin."""
        return 4 * self.bytes
