"""What a proxy says of the request that it passes on: X-Forwarded-Host and -Proto."""

import ipaddress

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

from kdsharp.errors import UserError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Set in a request's scope where a proxy told the scheme that the visitor used.
SCHEME = "kdsharp.forwarded_scheme"


def networks(texts: list[str]) -> tuple[Network, ...]:
    """Returns the addresses, and networks of addresses, of proxies."""
    found = []
    for text in texts:
        try:
            found.append(ipaddress.ip_network(text, strict=False))
        except ValueError:
            raise UserError(
                f"--proxy {text!r} is no address: give it as 127.0.0.1 or 10.0.0.0/8"
            ) from None
    return tuple(found)


class ForwardedHeaders:
    """Believes what these proxies say, and nobody else.

    Of several values the last counts: the nearest proxy wrote it.
    """

    def __init__(self, app: ASGIApp, proxies: tuple[Network, ...]):
        self._app = app
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._is_proxy(scope.get("client")):
            scope = {**scope, "headers": list(scope["headers"])}
            headers = Headers(scope=scope)
            if host := _last(headers, "x-forwarded-host"):
                MutableHeaders(scope=scope)["host"] = host
            scheme = _last(headers, "x-forwarded-proto").lower()
            if scheme in ("http", "https"):
                scope["scheme"] = scope[SCHEME] = scheme
        await self._app(scope, receive, send)

    def _is_proxy(self, client: tuple[str, int] | None) -> bool:
        if not client:
            return False
        address = ipaddress.ip_address(client[0].partition("%")[0])
        # What listens for IPv6 shows IPv4 as a part of it.
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in proxy for proxy in self._proxies)


def _last(headers: Headers, name: str) -> str:
    return ",".join(headers.getlist(name)).rpartition(",")[2].strip()
