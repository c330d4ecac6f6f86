"""A person's mistake, told in one sentence."""


class UserError(ValueError):
    """Says what is wrong, with what, and what to do; shown without a traceback."""
