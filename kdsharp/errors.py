"""A person's mistake, told in one sentence."""


class UserError(ValueError):
    """Says what is wrong, with what, and what to do; shown without a traceback."""


class Stopped(Exception):
    """Work ended before its time, what is done is saved: the reason."""

    exit_status: int
