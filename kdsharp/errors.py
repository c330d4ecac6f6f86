"""Errors that are shown to users as one sentence, without a traceback."""


class UserError(ValueError):
    """An error that the user can fix; the message says what is wrong and what to do."""


class Stopped(Exception):
    """Work stopped early, after saving its results; the message says why."""

    exit_status: int
