"""JSON bodies in and out, and RFC 9457 problems, for services written with Starlette.

Enters: requests and msgspec types. Leaves: decoded values, JSON responses, problem details. Used
by the routes of app-frontend, app-service and model-service.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from serinus.contracts.api import FieldProblem, Problem
from serinus.services.chassis import context

_LOG = logging.getLogger("serinus.http")
_ENCODER: Final = msgspec.json.Encoder()
T = TypeVar("T")

TITLES: Final[Mapping[int, str]] = {
    400: "Bad request", 401: "Not authenticated", 403: "Forbidden", 404: "Not found",
    405: "Method not allowed", 409: "Conflict", 413: "Content too large",
    415: "Unsupported media type", 422: "Unprocessable content", 429: "Too many requests",
    500: "Internal server error", 502: "Bad gateway", 503: "Service unavailable",
    504: "Gateway timeout",
}  # fmt: skip


class ProblemError(Exception):
    """Raise it in a route to answer with problem details."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: list[FieldProblem] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors or []
        self.headers = dict(headers or {})


def json_response(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Any msgspec-encodable value as `application/json`."""
    return Response(_ENCODER.encode(value), status, headers, media_type="application/json")


def problem_response(error: ProblemError, path: str) -> Response:
    """`error` as `application/problem+json`, with the path as its instance."""
    body = Problem(
        title=TITLES.get(error.status, "Error"),
        status=error.status,
        detail=error.detail,
        instance=path,
        request_id=context.current().request_id,
        errors=error.errors,
    )
    return Response(
        _ENCODER.encode(body), error.status, error.headers, media_type="application/problem+json"
    )


def crash_response(error: Exception, path: str) -> Response:
    """500 for what no route expects; the log gets the traceback, the client only words."""
    _LOG.error("unexpected error", exc_info=error)
    return problem_response(
        ProblemError(500, "Something went wrong on our side; the request id finds it in the logs."),
        path,
    )


async def body(request: Request, limit: int) -> bytes:
    """The whole body; a ProblemError of 413 as soon as it exceeds `limit` bytes."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise ProblemError(413, f"The body may have at most {limit} bytes.")
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise ProblemError(413, f"The body may have at most {limit} bytes.")
        chunks.append(chunk)
    return b"".join(chunks)


async def decode(request: Request, decoder: msgspec.json.Decoder[T], limit: int = 64_000) -> T:
    """The JSON body as the decoder's type.

    Raises ProblemError: 415 for another content type, 413 beyond `limit` bytes, 400 for what is
    not JSON, 422 naming the field for JSON of another shape.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise ProblemError(415, "Send the body as application/json.")
    return decoded(await body(request, limit), decoder)


def decoded(raw: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """`raw` as the decoder's type; ProblemError of 400 or 422 as `decode`."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        detail, _, path = str(error).partition(" - at ")
        name = path.strip("`").removeprefix("$").removeprefix(".")
        raise ProblemError(422, detail, errors=[FieldProblem(name, detail)]) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProblemError(400, f"The body is not valid JSON: {error}") from error


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)  # noqa: S101  # by registration
    return problem_response(error, request.url.path)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # by registration
    return problem_response(
        ProblemError(error.status_code, error.detail, headers=error.headers), request.url.path
    )


async def _on_crash(request: Request, error: Exception) -> Response:
    return crash_response(error, request.url.path)


EXCEPTION_HANDLERS: Final[dict[Any, Any]] = {
    ProblemError: _on_problem,
    HTTPException: _on_http_exception,
    Exception: _on_crash,
}
"""For `Starlette(exception_handlers=...)` of an API; app-frontend answers with pages instead."""
