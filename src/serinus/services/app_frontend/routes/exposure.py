"""GET /exposures/page.gif: the page's own picture, the first request that carries the cookies.

Enters: a browser's request for a picture. Leaves: one transparent pixel, never stored, after the
exposure of an enrolled visitor was recorded. Works without JavaScript; crawlers that load no
pictures, and prefetches, are never enrolled.
"""

from __future__ import annotations

import base64
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serinus.services.app_frontend.exposures import record
from serinus.services.app_frontend.pages import of, visit_of

_PIXEL: Final = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


async def exposure(request: Request) -> Response:
    """See the module."""
    if request.method == "GET":
        await record(of(request).reviews, visit_of(request), "page")
    return Response(_PIXEL, media_type="image/gif")


ROUTE: Final = Route("/exposures/page.gif", exposure, methods=["GET"])
