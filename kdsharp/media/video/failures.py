"""What FFmpeg complains of, in a sentence."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from av.error import ArgumentError, ExitError, FFmpegError

from kdsharp.errors import UserError


def words(error: Exception) -> str:
    """Returns what is wrong, in FFmpeg's words where those say it."""
    if isinstance(error, ExitError):
        return "nothing came in time"
    if isinstance(error, ArgumentError):
        return "FFmpeg refuses a setting"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def disk_is_full(error: BaseException) -> bool:
    """Returns whether there was no room to write to."""
    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return isinstance(error, OSError | FFmpegError) and error.errno in full


@contextmanager
def told(what: str, advice: str) -> Iterator[None]:
    """Says so, and what to do, where FFmpeg refuses; a full disk is no refusal."""
    try:
        yield
    except (FFmpegError, ValueError) as error:
        if isinstance(error, UserError) or disk_is_full(error):
            raise
        raise UserError(f"{what}: {words(error)}; {advice}") from error
