"""Refused requests: a status, a sentence, and when to retry."""


class Refusal(Exception):
    """Is answered with this status; `again` is the delay before a retry in seconds."""

    def __init__(self, status: int, sentence: str, again: int | None = None):
        super().__init__(sentence)
        self.status = status
        self.again = again
