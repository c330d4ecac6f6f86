"""The routes of the server."""

import contextlib
import dataclasses
import functools
import time
from pathlib import Path
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from kdsharp.runtime import restore
from kdsharp.runtime.options import RestoreOptions
from kdsharp.web.serving import forwarding, sharpening, unread
from kdsharp.web.serving.answers import Answers, HeldAnswer
from kdsharp.web.serving.bodies import Bodies
from kdsharp.web.serving.counts import Counts
from kdsharp.web.serving.draining import Drain, Draining
from kdsharp.web.serving.hosts import AllowedHosts
from kdsharp.web.serving.limits import Limits
from kdsharp.web.serving.refusals import Refusal
from kdsharp.web.serving.work_queue import DeadlineExceeded, WorkQueue

# The page's service worker adds the same headers on hosts that cannot send them.
_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; "
    "style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Site(StaticFiles):
    """Static files of the page, with the headers that they need."""

    def file_response(self, *arguments, **options) -> Response:
        response = super().file_response(*arguments, **options)
        response.headers.update(HEADERS)
        # Revalidate, so that a new build is used at once.
        response.headers["Cache-Control"] = "no-cache"
        return response


class Pictures:
    """The request handlers that sharpen pictures."""

    def __init__(
        self, models: tuple[str, ...], limits: Limits, options: RestoreOptions
    ):
        self._models = models
        self._bodies = Bodies(limits)
        self._queue = WorkQueue(limits)
        self._answers = Answers(limits.answer_bytes)
        self._counts = Counts()
        self._load = functools.lru_cache(
            lambda model: restore.create(dataclasses.replace(options, model=model))
        )

    def warm(self) -> None:
        """Loads the default network, so that the first request is fast."""
        self._load(self._models[0])

    async def sharpen(self, request: Request) -> Response:
        try:
            response = await self._sharpen(request)
        except Refusal as refusal:
            headers = (
                {} if refusal.again is None else {"Retry-After": f"{refusal.again}"}
            )
            # Unread parts of the body would be taken for the next request.
            headers["Connection"] = "close"
            response = JSONResponse(
                {"error": str(refusal)}, refusal.status, headers=headers
            )
        except (ClientDisconnect, DeadlineExceeded):
            response = Response(status_code=400)
        self._counts.answered(response.status_code)
        return response

    async def _sharpen(self, request: Request) -> Response:
        try:
            _check_origin(request)
            asked = sharpening.parse_request(dict(request.query_params), self._models)
        except Refusal:
            await unread.discard(request)
            raise
        body = await self._bodies.read(request)
        try:
            sharpening.check(body)
            start = time.perf_counter()

            def work(progress):
                self._answers.wait_for_room(progress)
                sharpener = self._load(asked.options.model)
                return sharpening.sharpen(body, asked, sharpener, progress)

            file, kind = await self._queue.do(work)
        finally:
            self._bodies.free(body)
        self._counts.sharpened(time.perf_counter() - start, len(body), len(file))
        return HeldAnswer(file, kind, self._answers)

    async def health(self, request: Request) -> Response:
        return JSONResponse(
            {"status": "ok", "models": self._models, "waiting": self._queue.waiting}
        )

    async def metrics(self, request: Request) -> Response:
        text = self._counts.text(
            waiting=self._queue.waiting,
            held=self._bodies.held,
            answers=self._answers.held,
        )
        return PlainTextResponse(text)

    def close(self) -> None:
        self._queue.close()


def create(
    site: Path,
    models: tuple[str, ...],
    limits: Limits,
    options: RestoreOptions,
    *,
    hosts: tuple[str, ...],
    proxies: tuple[forwarding.Network, ...],
    drain: Drain,
) -> Starlette:
    """Creates the application; the options select the backend.

    It accepts the host names `hosts`, and trusts the headers of `proxies`.
    """
    found = Pictures(models, limits, options)

    @contextlib.asynccontextmanager
    async def lifespan(_):
        yield
        found.close()

    found.warm()
    return Starlette(
        routes=[
            Route("/healthz", _healthz),
            Route("/api/sharpen", found.sharpen, methods=["POST"]),
            Route("/api/health", found.health),
            Route("/api/metrics", found.metrics),
            Mount("/", Site(directory=site, html=True)),
        ],
        # Applied in this order.
        middleware=[
            Middleware(Draining, drain),
            Middleware(forwarding.ForwardedHeaders, proxies),
            Middleware(AllowedHosts, hosts),
        ],
        lifespan=lifespan,
    )


async def _healthz(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _check_origin(request: Request) -> None:
    """Refuses requests from pages of other sites."""
    origin = request.headers.get("origin")
    if not origin:
        return
    page = urlsplit(origin)
    # Behind an unknown proxy the scheme is unknown, so it is not compared.
    scheme = request.scope.get(forwarding.SCHEME, page.scheme)
    if (page.scheme, page.netloc) != (scheme, request.headers.get("host")):
        raise Refusal(403, "pages of other sites may not use this server")
