"""Turns FFmpeg's errors into one-sentence errors."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from av.error import ArgumentError, ExitError, FFmpegError

from kdsharp.errors import UserError


def describe(error: Exception) -> str:
    """Describes an error, in FFmpeg's words if they are clear."""
    if isinstance(error, ExitError):
        return "timed out"
    if isinstance(error, ArgumentError):
        return "FFmpeg rejects an option"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def disk_is_full(error: BaseException) -> bool:
    """Whether an error is due to a full disk."""
    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return isinstance(error, OSError | FFmpegError) and error.errno in full


@contextmanager
def as_user_error(what: str, advice: str) -> Iterator[None]:
    """Turns errors of FFmpeg into a UserError, except for a full disk."""
    try:
        yield
    except (FFmpegError, ValueError) as error:
        if isinstance(error, UserError) or disk_is_full(error):
            raise
        raise UserError(f"{what}: {describe(error)}; {advice}") from error
