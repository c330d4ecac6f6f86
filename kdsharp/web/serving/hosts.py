"""The host names that a server accepts.

Without this check, a page whose host name resolves to this server (DNS rebinding) could
use it from a visitor's browser. IP addresses are always accepted, because they cannot
be redirected.
"""

import ipaddress
import re
import socket

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from kdsharp.errors import UserError
from kdsharp.web.serving import unread

_PATTERN = re.compile(r"\*|(\*\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?", re.IGNORECASE)
_HEADER = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^\s\[\]:/?#@]+))(?::\d*)?", re.IGNORECASE)
# Accepted under any host name, because load balancers use arbitrary ones.
_FOR_ALL = "/healthz"


def is_wildcard(host: str) -> bool:
    """Whether listening on this address means all addresses of the machine."""
    return _is_address(host) and ipaddress.ip_address(host).is_unspecified


def allowed(listening: str, more: list[str]) -> tuple[str, ...]:
    """The accepted host names of a server; names may start with `*.`."""
    for name in more:
        if not (_PATTERN.fullmatch(name) or _is_address(name)):
            raise UserError(
                "--allow must be a host name, such as sharp.example.org or "
                f"*.example.org, not {name!r}"
            )
    own = socket.gethostname() if is_wildcard(listening) else listening
    return tuple(name.lower() for name in ("localhost", own, *more))


class AllowedHosts:
    """Refuses requests for other host names."""

    def __init__(self, app: ASGIApp, names: tuple[str, ...]):
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http" and scope["path"] != _FOR_ALL:
            host = _host(Request(scope).headers.get("host", ""))
            if not self._answers_to(host):
                sentence = (
                    f"this server does not accept the host name {host!r}: start it "
                    "with --allow and that name"
                )
                await unread.discard(Request(scope, receive))
                app = JSONResponse({"error": sentence}, 400)
        await app(scope, receive, send)

    def _answers_to(self, host: str) -> bool:
        return _is_address(host) or any(
            name in ("*", host) or (name.startswith("*.") and host.endswith(name[1:]))
            for name in self._names
        )


def _host(header: str) -> str:
    """The host name without its port; empty if there is none."""
    found = _HEADER.fullmatch(header)
    return (found[1] or found[2]).lower() if found else ""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
