"""Listening sockets."""

import contextlib
import socket
from collections.abc import Iterator

from kdsharp.errors import UserError

_BACKLOG = 1024


@contextlib.contextmanager
def listening_socket(host: str, port: int) -> Iterator[socket.socket]:
    """Yields a socket that listens on the address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UserError(
                f"cannot listen on {host}:{port} ({reason}): give another --port"
            ) from error
        # Connections before the server is ready wait in the backlog.
        listening.listen(_BACKLOG)
        yield listening
