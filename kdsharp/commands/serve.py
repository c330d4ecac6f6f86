"""`kdsharp serve`: serves the web page and the HTTP API."""

import contextlib
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from kdsharp.errors import UserError
from kdsharp.media import pictures
from kdsharp.runtime.options import RestoreOptions
from kdsharp.web import build, networks
from kdsharp.web.serving import app
from kdsharp.web.serving.limits import Limits
from kdsharp.web.serving.listening import bound
from kdsharp.web.serving.timeouts import protocol

_LOCAL = ["localhost", "127.0.0.1", "[::1]"]


def run(
    site: Path | None,
    *,
    host: str,
    port: int,
    models: list[str],
    limits: Limits,
    options: RestoreOptions,
) -> None:
    """Serves until stopped."""
    for name, value in vars(limits).items():
        if not value > 0:
            raise UserError(f"--{name} must be greater than 0, not {value:g}")
    names = tuple(networks.names(models))
    pictures.allow(limits.megapixels)
    with _site(site, names) as folder, bound(host, port) as listening:
        served = app.create(folder, [*_LOCAL, host], names, limits, options)
        config = uvicorn.Config(
            served,
            http=protocol(limits.seconds),
            ws="none",
            limit_concurrency=limits.connections,
            log_level=logging.CRITICAL,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=5,
        )
        where = f"[{host}]" if ":" in host else host
        where += f":{listening.getsockname()[1]}"
        print(f"http://{where}/            the web page")
        print(f"http://{where}/api/sharpen accepts pictures by POST", flush=True)
        uvicorn.Server(config).run(sockets=[listening])


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
