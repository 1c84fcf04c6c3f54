"""GET /robots.txt: reviews are private, and forms are not for crawlers."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

_TEXT: Final = "User-agent: *\nDisallow: /reviews\nDisallow: /exposures/\n"


async def robots(_: Request) -> Response:
    """See the module."""
    return PlainTextResponse(_TEXT)


ROUTE: Final = Route("/robots.txt", robots, methods=["GET"])
