"""Headers of trusted proxies: X-Forwarded-Host and X-Forwarded-Proto."""

import ipaddress

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

from kdsharp.errors import UserError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# The key in a request's scope for the scheme that a proxy forwarded.
SCHEME = "kdsharp.forwarded_scheme"


def networks(texts: list[str]) -> tuple[Network, ...]:
    """Parses the addresses of proxies, or networks of addresses."""
    found = []
    for text in texts:
        try:
            found.append(ipaddress.ip_network(text, strict=False))
        except ValueError:
            raise UserError(
                f"--proxy must be an address, such as 127.0.0.1 or 10.0.0.0/8, not "
                f"{text!r}"
            ) from None
    return tuple(found)


class ForwardedHeaders:
    """Applies the forwarding headers of trusted proxies.

    Of several values, the last one counts, which the nearest proxy added.
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
        # IPv6 sockets report IPv4 clients as mapped addresses.
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in proxy for proxy in self._proxies)


def _last(headers: Headers, name: str) -> str:
    return ",".join(headers.getlist(name)).rpartition(",")[2].strip()
