"""GET /privacy: what is stored about a visitor, and the form that erases it."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serinus.services.app_frontend.pages import of


async def privacy(request: Request) -> Response:
    """See the module; `?erased=3` tells how many reviews were erased a moment ago."""
    erased = request.query_params.get("erased", "")
    return await page(request, erased=int(erased) if _is_count(erased) else None)


async def page(
    request: Request, status: int = 200, *, erased: int | None = None, problem: str = ""
) -> Response:
    """The page; `problem` stands beside the box that must be ticked."""
    return await of(request).page(request, "privacy", status, erased=erased, problem=problem)


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 6


ROUTE: Final = Route("/privacy", privacy, methods=["GET"])
