"""The names that a server answers to.

A page of another name that leads here (DNS rebinding) could otherwise use this server
from a visitor's browser. An address cannot be made to lead elsewhere: all are answered.
"""

import ipaddress
import re
import socket

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from kdsharp.errors import UserError

_PATTERN = re.compile(r"\*|(\*\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?", re.IGNORECASE)
_HEADER = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^\s\[\]:/?#@]+))(?::\d*)?", re.IGNORECASE)
# Load balancers ask for it by whatever name they like; it tells nothing else.
_FOR_ALL = "/healthz"


def is_wildcard(host: str) -> bool:
    """Whether listening there is listening on every address of this machine."""
    return _is_address(host) and ipaddress.ip_address(host).is_unspecified


def allowed(listening: str, more: list[str]) -> tuple[str, ...]:
    """Returns the names answered by a server that listens there; `*.` is any before."""
    for name in more:
        if not (_PATTERN.fullmatch(name) or _is_address(name)):
            raise UserError(
                f"--allow {name!r} is no host name: give it as sharp.example.org or "
                "*.example.org"
            )
    own = socket.gethostname() if is_wildcard(listening) else listening
    return tuple(name.lower() for name in ("localhost", own, *more))


class AllowedHosts:
    """Refuses requests for hosts of other names."""

    def __init__(self, app: ASGIApp, names: tuple[str, ...]):
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http" and scope["path"] != _FOR_ALL:
            host = _host(Request(scope).headers.get("host", ""))
            if not self._answers_to(host):
                sentence = (
                    f"this server does not answer to the name {host!r}: start it "
                )
                sentence += "with --allow and that name"
                app = JSONResponse({"error": sentence}, 400)
        await app(scope, receive, send)

    def _answers_to(self, host: str) -> bool:
        return _is_address(host) or any(
            name in ("*", host) or (name.startswith("*.") and host.endswith(name[1:]))
            for name in self._names
        )


def _host(header: str) -> str:
    """Returns the name without its port, nothing where there is none."""
    found = _HEADER.fullmatch(header)
    return (found[1] or found[2]).lower() if found else ""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
