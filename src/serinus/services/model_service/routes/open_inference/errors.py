"""Errors of the V2 routes: `{"error": ...}` under /v2, problem details elsewhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from serinus.services.chassis.http import EXCEPTION_HANDLERS, ProblemError, json_response

Handler = Callable[[Request, Exception], Awaitable[Response]]
PREFIX: Final = "/v2"


def _handler(usual: Handler) -> Handler:
    async def handle(request: Request, error: Exception) -> Response:
        path = request.url.path
        if path != PREFIX and not path.startswith(f"{PREFIX}/"):
            return await usual(request, error)
        if isinstance(error, ProblemError):
            return json_response({"error": error.detail}, error.status, error.headers)
        if isinstance(error, HTTPException):
            return json_response({"error": error.detail}, error.status_code, error.headers)
        await usual(request, error)  # logs it
        return json_response({"error": "something went wrong on our side"}, 500)

    return handle


HANDLERS: Final[dict[Any, Any]] = {
    kind: _handler(usual) for kind, usual in EXCEPTION_HANDLERS.items()
}
