"""TF Serving's REST API over a registry of models: predict, status, metadata.

See https://www.tensorflow.org/tfx/serving/api_rest. `GET /v1/models`, which lists the models, and
`/v1/similar`, songs that sound alike, are additions, and so is the header `Server-Timing` of answers, which
says how long their parts took; `classify` and `regress` and compressed requests are left out.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any, NamedTuple

from starlette.applications import Starlette
from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from keras_mir.client.codec import (
    CodecError,
    PredictRequest,
    parse_signature,
    signature_json,
    write_answer,
)
from keras_mir.client.errors import Code, http_status
from keras_mir.command_line.lines import printable
from keras_mir.models.session import ModelError
from keras_mir.serve.foreign_pages import without_foreign_pages
from keras_mir.serve.page import page_routes
from keras_mir.serve.registry import Registry, VersionStatus
from keras_mir.serve.similar import SONGS, SimilarSongs, media_type
from keras_mir.serve.workers import Workers

logger = logging.getLogger(__name__)

# How long a client that sends too much is listened to, so that it gets to read the answer.
_LINGER_SECONDS = 2.0

# A page of another site may ask for a sound without saying who it is, as for a picture; it is not to have it.
_SOUND_HEADERS = {
    "content-security-policy": "default-src 'none'; sandbox",
    "cross-origin-resource-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "cache-control": "no-cache",
}


class _Number(IntegerConvertor):
    regex = "[0-9]{1,100}"  # Python makes no numbers of thousands of digits


register_url_convertor("number", _Number())


def rest_app(registry: Registry, workers: Workers, host: str, similar: SimilarSongs | None = None) -> ASGIApp:
    """Build the web application: the API, and the page.

    Args:
        registry: The models.
        workers: The threads to run them in, with the limits on requests.
        host: The name or address it listens on.
        similar: The songs of a table of vectors; None if none was given.

    Returns:
        An ASGI application, which logs a line for each request.
    """
    api = _Api(registry, workers, similar)
    model = "/v1/models/{name}"
    ways = (model, model + "/versions/{version:number}", model + "/labels/{version}")
    app = Starlette(
        routes=[
            Route("/v1/models", api.models),
            *(Route(way + ":predict", api.predict, methods=["POST"]) for way in ways),
            *(Route(way + "/metadata", api.metadata) for way in ways),
            *(Route(way, api.status) for way in ways),
            Route("/v1/similar", api.library),
            Route("/v1/similar", api.similar, methods=["POST"]),
            Route(SONGS + "/{row:number}", api.sound),
            *page_routes(),
        ],
        exception_handlers=dict.fromkeys(
            (ModelError, CodecError, HTTPException, ClientDisconnect, Exception), _answer_error
        ),
    )
    app.router.redirect_slashes = False
    return _logged(without_foreign_pages(app, host))


class _Answer(NamedTuple):
    """JSON, and how many seconds each step towards it took."""

    text: str
    seconds: dict[str, float]


class _Api:
    def __init__(self, registry: Registry, workers: Workers, similar: SimilarSongs | None) -> None:
        self._registry = registry
        self._workers = workers
        self._similar = similar
        self._arriving = 0  # bytes, of all requests that are not there as a whole

    async def predict(self, request: Request) -> Response:
        return await self._answered(request, partial(_predict, self._registry, *_model(request)))

    async def similar(self, request: Request) -> Response:
        if self._similar is None:
            problem = "no table of vectors; start the server as python -m keras_mir.serve --similar VECTORS"
            raise ModelError(Code.NOT_FOUND, problem)
        return await self._answered(request, partial(_similar, self._similar))

    async def library(self, request: Request) -> Response:
        songs = self._similar
        return JSONResponse({"model": songs.model, "songs": len(songs)} if songs else {"songs": 0})

    async def sound(self, request: Request) -> Response:
        file = self._similar and self._similar.sound_file(request.path_params["row"])
        if not file:
            problem = "no such song, or none that may be listened to; see python -m keras_mir.serve --help"
            raise ModelError(Code.NOT_FOUND, problem)
        return FileResponse(file, media_type=media_type(file), headers=_SOUND_HEADERS)

    async def _answered(self, request: Request, answer: Callable[[bytearray, float], _Answer]) -> Response:
        """The answer to what is sent, which a worker makes of the body in the time that is left."""
        limits = self._workers.limits
        started = time.monotonic()
        deadline = started + limits.seconds
        if request.headers.get("content-encoding", "identity") != "identity":
            raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the request uncompressed")
        try:
            async with asyncio.timeout(limits.seconds):
                body = await self._read(request)
        except TimeoutError:
            raise HTTPException(
                HTTPStatus.REQUEST_TIMEOUT, "the request did not arrive within the time limit"
            ) from None
        if body is None:
            return _TooLarge(limits.request_bytes)
        arrived = time.monotonic()
        with self._workers.admitted():  # who sends slowly takes no place from others
            work = self._workers.submit(answer, body, deadline)
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    made = await asyncio.wrap_future(work)
            except TimeoutError:
                raise self._workers.too_late() from None
        seconds = {"arrive": arrived - started, **made.seconds}
        timing = ", ".join(f"{step};dur={1000 * spent:.1f}" for step, spent in seconds.items())
        return Response(made.text, media_type="application/json", headers={"server-timing": timing})

    async def _read(self, request: Request) -> bytearray | None:
        """The body, or None if it is over the limit; then the rest of it has not been read."""
        limits = self._workers.limits
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length) > limits.request_bytes:
            return None
        body = bytearray()
        try:
            async for chunk in request.stream():
                body += chunk
                self._arriving += len(chunk)
                if len(body) > limits.request_bytes:
                    return None
                if self._arriving > limits.requests * limits.request_bytes:
                    raise ModelError(Code.UNAVAILABLE, "too much is arriving at once; try again")
        finally:
            self._arriving -= len(body)
        return body

    async def status(self, request: Request) -> Response:
        return JSONResponse(_status_json(self._registry.status(*_model(request))))

    async def metadata(self, request: Request) -> Response:
        name, version = _model(request)
        with self._registry.use(name, version) as (number, model):
            signatures = {key: signature_json(value) for key, value in sorted(model.signatures.items())}
        return JSONResponse(
            {
                "model_spec": {"name": name, "signature_name": "", "version": str(number)},
                "metadata": {"signature_def": {"signature_def": signatures}},
            }
        )

    async def models(self, request: Request) -> Response:
        statuses = {name: _status_json(self._registry.status(name)) for name in self._registry.names()}
        return JSONResponse({"models": [{"name": name, **status} for name, status in statuses.items()]})


def _predict(
    registry: Registry, name: str, version: int | str | None, body: bytearray, deadline: float
) -> _Answer:
    with registry.use(name, version) as (_, model):
        started = time.monotonic()
        request = PredictRequest.parse(body)
        signature = parse_signature(signature_json(model.signature(request.signature_name)))
        inputs = request.arrays(signature)
        read = time.monotonic()
        outputs = model.run(request.signature_name, inputs, seconds=deadline - read)
        ran = time.monotonic()
        text = write_answer(outputs, rows=request.rows)
        return _Answer(text, {"read": read - started, "model": ran - read, "write": time.monotonic() - ran})


def _similar(songs: SimilarSongs, body: bytearray, deadline: float) -> _Answer:
    started = time.monotonic()
    if started > deadline:
        raise ModelError(Code.DEADLINE_EXCEEDED, "the time limit passed before the model ran")
    return _Answer(songs.answer(body), {"find": time.monotonic() - started})


def _model(request: Request) -> tuple[str, int | str | None]:
    return request.path_params["name"], request.path_params.get("version")


def _status_json(versions: list[VersionStatus]) -> dict[str, Any]:
    entries = [
        {
            "version": str(version.version),
            "state": version.state.name,
            "status": {"error_code": version.code.name, "error_message": version.message},
        }
        for version in versions
    ]
    return {"model_version_status": entries}


class _TooLarge(JSONResponse):
    """Refuses a request that is still arriving.

    Many clients send all they have before they read. Closing on them would lose them the answer,
    so what they send is thrown away for a moment before the connection ends.
    """

    def __init__(self, limit: int) -> None:
        content = {"error": f"the request is larger than the limit of {limit / 2**20:g} MiB"}
        super().__init__(content, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, headers={"connection": "close"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        try:
            async with asyncio.timeout(_LINGER_SECONDS):
                while (await receive()).get("more_body"):
                    pass
        except TimeoutError:
            pass  # it had its moment
        await send({"type": "http.response.body"})


async def _answer_error(request: Request, error: Exception) -> Response:
    status, text, headers = HTTPStatus.INTERNAL_SERVER_ERROR.value, str(error), None
    if isinstance(error, ModelError):
        status = http_status(error.code)
    elif isinstance(error, CodecError):
        status = HTTPStatus.BAD_REQUEST
    elif isinstance(error, HTTPException):
        status, text, headers = error.status_code, error.detail, error.headers
        if status == HTTPStatus.NOT_FOUND:
            text = f"Malformed request: {request.method} {request.url.path}"
    elif isinstance(error, ClientDisconnect):
        status = HTTPStatus.BAD_REQUEST  # for the log: the client has gone
    else:  # a bug: Starlette raises it again after this, and the web server logs it with its traceback
        text = f"internal error ({type(error).__name__})"
    return JSONResponse({"error": printable(text)}, status, headers)


def _logged(app: ASGIApp) -> ASGIApp:
    """The application, logging method, path, status and time of each request."""

    async def logged(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        started = time.monotonic()
        status = 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await app(scope, receive, noting)
        finally:
            # As it was sent: percent signs keep control characters out of the log.
            path = scope["raw_path"].decode("ascii", "replace")
            milliseconds = (time.monotonic() - started) * 1000
            logger.info("%s %.100s %d, %.0f ms", scope["method"], path, status, milliseconds)

    return logged
