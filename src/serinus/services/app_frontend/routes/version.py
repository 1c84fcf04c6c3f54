"""GET /version: versions and tracks of all three services, asked at this moment."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serinus.contracts.api import VersionInfo
from serinus.services.app_frontend.pages import of
from serinus.services.chassis.http import json_response


async def version(request: Request) -> Response:
    """See the module."""
    frontend = of(request)
    settings = frontend.settings
    upstream = await frontend.reviews.version()
    model = upstream.model if upstream else None
    return json_response(
        VersionInfo(settings.app, settings.version, settings.track, model, upstream)
    )


ROUTE: Final = Route("/version", version, methods=["GET"])
