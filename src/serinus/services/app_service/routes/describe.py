"""GET /openapi.json: the API's description, OpenAPI 3.1."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

DOCUMENT: Final = "openapi_document"
"""The name under which `app` keeps the encoded document."""


async def describe(request: Request) -> Response:
    """See the module."""
    return Response(
        getattr(request.app.state, DOCUMENT),
        media_type="application/json",
        headers={"cache-control": "no-cache"},
    )


ROUTE: Final = Route("/openapi.json", describe, methods=["GET"])
