"""Error pages: what happened, in words, and what the visitor can do next.

Enters: exceptions of the routes. Leaves: HTML answers. Registered by `app`; `retry` is used by
routes that can offer the visitor to send the same again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response

from serinus.services.app_frontend.api import RefusedError, UnavailableError
from serinus.services.app_frontend.pages import of

_LOG: Final = logging.getLogger("serinus.app_frontend")


@dataclass(frozen=True, slots=True)
class Retry:
    """A form that sends the same again; `fields` become hidden inputs beside a fresh token."""

    action: str
    label: str = "Try again"
    method: str = "post"
    fields: Mapping[str, str] = field(default_factory=dict)


TEXTS: Final[Mapping[int, tuple[str, str]]] = {
    400: ("This request makes no sense", "Your browser sent something we cannot read."),
    403: (
        "This form could not be checked",
        "It did not come from one of our pages, or it is older than your cookies. "
        "Nothing was changed.",
    ),
    404: (
        "There is nothing here",
        "The address is wrong, or the review belongs to somebody else: a review is shown only to "
        "the visitor who wrote it, in the browser they wrote it with.",
    ),
    405: ("This cannot be done here", "The address exists, but not for this kind of request."),
    409: ("This has no prediction yet", "Only a review that the model has read can be corrected."),
    413: (
        "This review is far too long",
        "At most 5,000 characters fit. Go back to find your text, and shorten it.",
    ),
    415: ("This form was sent in an unknown way", "Send it from the page itself."),
    500: (
        "Something broke on our side",
        "Nothing you did caused this. It is logged under the number below.",
    ),
    503: (
        "Our kitchen is closed for a moment",
        "The part that keeps and reads reviews does not answer. What you already sent is safe.",
    ),
}
_OTHER: Final = ("This did not work", "The request was refused.")


async def error_page(
    request: Request,
    status: int,
    *,
    headers: Mapping[str, str] | None = None,
    retry: Retry | None = None,
) -> HTMLResponse:
    """The page of one status, with a button that tries again when there is a `retry`."""
    title, text = TEXTS.get(status, _OTHER)
    return await of(request).page(
        request, "error", status, headers, title=title, text=text, code=status, retry=retry
    )


async def unavailable(
    request: Request, error: UnavailableError, retry: Retry | None = None
) -> HTMLResponse:
    """The page of a 503; without a `retry`, a GET can be tried again as it is."""
    if retry is None and request.method in ("GET", "HEAD"):
        retry = Retry(request.url.path, method="get")
    headers = {"retry-after": str(error.retry_after)}
    return await error_page(request, 503, headers=headers, retry=retry)


async def _on_unavailable(request: Request, error: Exception) -> HTMLResponse:
    assert isinstance(error, UnavailableError)  # noqa: S101  # by registration
    return await unavailable(request, error)


async def _on_refused(request: Request, error: Exception) -> HTMLResponse:
    assert isinstance(error, RefusedError)  # noqa: S101  # by registration
    if error.status in (404, 409):
        return await error_page(request, error.status)
    # The routes sent what app-service cannot accept: our fault, not the visitor's.
    _LOG.error("app-service refused", extra={"status": error.status, "reason": str(error)})
    return await error_page(request, 500)


async def _on_http_exception(request: Request, error: Exception) -> HTMLResponse:
    assert isinstance(error, HTTPException)  # noqa: S101  # by registration
    return await error_page(request, error.status_code, headers=error.headers)


async def _on_disconnect(_: Request, __: Exception) -> Response:
    # Nobody is left to read a page, and nothing went wrong here.
    return Response(status_code=400)


async def _on_crash(request: Request, error: Exception) -> HTMLResponse:
    _LOG.error("unexpected error", exc_info=error)
    return await error_page(request, 500)


HANDLERS: Final[dict[Any, Any]] = {
    UnavailableError: _on_unavailable,
    RefusedError: _on_refused,
    HTTPException: _on_http_exception,
    ClientDisconnect: _on_disconnect,
    Exception: _on_crash,
}
