"""`kdsharp serve`: serves the web page and the HTTP API."""

import contextlib
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from kdsharp.base import machine
from kdsharp.errors import UserError
from kdsharp.media import pictures
from kdsharp.runtime.options import RestoreOptions
from kdsharp.web import build, networks
from kdsharp.web.serving import app, draining, forwarding, hosts
from kdsharp.web.serving.limits import Limits
from kdsharp.web.serving.listening import listening_socket
from kdsharp.web.serving.timeouts import protocol


def run(
    site: Path | None,
    *,
    host: str,
    port: int,
    allow: list[str],
    proxy: list[str],
    models: list[str],
    limits: Limits,
    options: RestoreOptions,
) -> None:
    """Serves until stopped; `allow` lists additional host names to accept."""
    machine.return_freed_memory()
    for name, value in vars(limits).items():
        if not value > 0:
            raise UserError(f"--{name} must be greater than 0, not {value:g}")
    answers_to, proxies = hosts.allowed(host, allow), forwarding.networks(proxy)
    names = tuple(networks.names(models))
    drain = draining.Drain(limits.drain)
    pictures.limit_size(limits.megapixels)
    with _site(site, names) as folder, listening_socket(host, port) as listening:
        served = app.create(
            folder,
            names,
            limits,
            options,
            hosts=answers_to,
            proxies=proxies,
            drain=drain,
        )
        config = uvicorn.Config(
            served,
            http=protocol(limits.seconds),
            ws="none",
            limit_concurrency=limits.connections,
            log_level=logging.CRITICAL,
            access_log=False,
            server_header=False,
            # The application handles headers of proxies itself.
            proxy_headers=False,
            timeout_graceful_shutdown=5,
        )
        where = "localhost" if hosts.is_wildcard(host) else host
        where = f"[{where}]" if ":" in where else where
        where += f":{listening.getsockname()[1]}"

        def announce() -> None:
            print(f"http://{where}/            the web page")
            print(f"http://{where}/api/sharpen accepts pictures by POST", flush=True)

        server = draining.Server(config, drain, on_start=announce)
        server.run(sockets=[listening])


@contextlib.contextmanager
def _site(site: Path | None, names: tuple[str, ...]) -> Iterator[Path]:
    """Yields the folder of a built site, or of a page that uses this server's API."""
    if site is not None:
        if not (site / build.LIST).is_file():
            raise UserError(
                f"{site} holds no site: kdsharp web build {site} writes one"
            )
        yield site
        return
    with tempfile.TemporaryDirectory() as folder:
        build.write(Path(folder), list(names), engine="server")
        yield Path(folder)
