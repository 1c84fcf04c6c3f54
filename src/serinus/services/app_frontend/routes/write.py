"""GET /: the form for a review."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serinus.services.app_frontend.forms import new_key
from serinus.services.app_frontend.pages import of


async def write(request: Request) -> Response:
    """See the module."""
    return await form(request)


async def form(
    request: Request,
    status: int = 200,
    *,
    text: str = "",
    key: str | None = None,
    problem: str = "",
    trouble: str = "",
    retry_after: int | None = None,
) -> Response:
    """The form with a text in it. `problem` concerns the field, `trouble` the sending."""
    headers = None if retry_after is None else {"retry-after": str(retry_after)}
    return await of(request).page(
        request,
        "write",
        status,
        headers,
        text=text,
        key=key or new_key(),
        problem=problem,
        trouble=trouble,
    )


ROUTE: Final = Route("/", write, methods=["GET"])
