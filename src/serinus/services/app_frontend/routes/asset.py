"""GET /assets/{track}/{hash}/{name}: style, script and icon, kept by browsers for ever."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serinus.services.app_frontend.pages import of


async def asset(request: Request) -> Response:
    """See the module."""
    found = of(request).assets.answer(
        request.path_params["digest"],
        request.path_params["name"],
        request.headers.get("accept-encoding", ""),
    )
    # No page for a missing style sheet: nobody would see it.
    return found or Response("not found\n", 404, media_type="text/plain")


ROUTE: Final = Route("/assets/{track}/{digest}/{name}", asset, methods=["GET"])
