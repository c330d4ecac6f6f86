"""`kdsharp mos serve`: serves a study to raters."""

import contextlib
import functools
import logging
import sqlite3
from importlib import resources
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from kdsharp.study import order, plan
from kdsharp.study.answers import Answer, Answers
from kdsharp.web.serving.app import Site
from kdsharp.web.serving.listening import listening_socket
from kdsharp.web.serving.timeouts import protocol

_SECONDS = 30
_CONNECTIONS = 512
_LONGEST = 200


class StudyApi:
    """The request handlers of the page."""

    def __init__(self, folder: Path, study: plan.Study, answers: Answers):
        self._folder = folder
        self._study = study
        self._answers = answers
        self._trials = functools.lru_cache(4096)(functools.partial(order.trials, study))
        # Read once; raters who begin later are added here.
        self._raters = set(answers.raters())

    async def begin(self, request: Request) -> Response:
        token = await run_in_threadpool(self._answers.add_rater)
        self._raters.add(token)
        return JSONResponse({"token": token}, 201)

    async def rater(self, request: Request) -> Response:
        token = request.path_params["token"]
        if token not in self._raters:
            return _refused(404, "this address is unknown")
        given: dict[int, dict[str, int]] = {}
        for answer in await run_in_threadpool(self._answers.of_rater, token):
            given.setdefault(answer.trial, {})[answer.scale] = answer.score
        return JSONResponse(
            {
                "title": self._study.title,
                "scales": order.SCALES,
                "trials": [
                    {"number": trial.number, "training": trial.stimulus.training}
                    for trial in self._trials(token)
                ],
                "given": given,
            }
        )

    async def picture(self, request: Request) -> Response:
        trial = self._trial(request)
        if trial is None:
            return _refused(404, "there is no such picture")
        path = self._folder / plan.PICTURES / trial.stimulus.file
        # The response reveals neither the model nor that the picture is repeated.
        content = await run_in_threadpool(path.read_bytes)
        return Response(content, media_type="image/png")

    async def answer(self, request: Request) -> Response:
        trial, scale = self._trial(request), request.path_params["scale"]
        if trial is None or scale not in order.SCALES:
            return _refused(404, "there is no such picture or scale")
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > _LONGEST:
                return _refused(413, "a rating is one digit")
        if body not in (b"1", b"2", b"3", b"4", b"5"):
            return _refused(422, "a rating is a digit from 1 to 5")
        token = request.path_params["token"]
        answer = Answer(token, trial.number, scale, int(body))
        try:
            await run_in_threadpool(self._answers.save, answer)
        except sqlite3.Error as error:  # A full disk, say.
            return _refused(503, f"the rating was not saved ({error}): try again")
        return Response(status_code=204)

    def _trial(self, request: Request) -> order.Showing | None:
        token, number = (request.path_params[name] for name in ("token", "trial"))
        if token not in self._raters:
            return None
        trials = self._trials(token)
        return trials[number] if number < len(trials) else None


def create(folder: Path) -> Starlette:
    """Creates the application of a study."""
    study = plan.load(folder)
    answers = Answers(folder)
    api = StudyApi(folder, study, answers)
    page = resources.files("kdsharp.study") / "page"

    @contextlib.asynccontextmanager
    async def lifespan(_):
        yield
        answers.close()

    one = "/api/raters/{token:str}"
    return Starlette(
        routes=[
            Route("/api/raters", api.begin, methods=["POST"]),
            Route(one, api.rater),
            Route(one + "/{trial:int}/picture", api.picture),
            Route(one + "/{trial:int}/{scale:str}", api.answer, methods=["PUT"]),
            Mount("/", Site(directory=Path(str(page)), html=True)),
        ],
        lifespan=lifespan,
    )


def run(folder: Path, *, host: str, port: int) -> None:
    """Serves until stopped."""
    application = create(folder)
    with listening_socket(host, port) as listening:
        where = f"[{host}]" if ":" in host else host
        port = listening.getsockname()[1]
        print(f"http://{where}:{port}/ serves the study", flush=True)
        config = uvicorn.Config(
            application,
            http=protocol(_SECONDS),
            ws="none",
            limit_concurrency=_CONNECTIONS,
            log_level=logging.CRITICAL,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=5,
        )
        uvicorn.Server(config).run(sockets=[listening])


def _refused(status: int, sentence: str) -> Response:
    return JSONResponse({"error": sentence}, status)
