"""Sockets that servers of this project listen on."""

import contextlib
import socket
from collections.abc import Iterator

from kdsharp.errors import UserError

_BACKLOG = 1024


@contextlib.contextmanager
def bound(host: str, port: int) -> Iterator[socket.socket]:
    """Yields a socket that listens on this address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UserError(
                f"{host}:{port} cannot be listened on ({reason}): give another --port"
            ) from error
        # Who comes before the rest is ready waits.
        listening.listen(_BACKLOG)
        yield listening
