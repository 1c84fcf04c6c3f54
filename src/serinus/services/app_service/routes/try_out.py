"""GET /docs: a page to read the API's description and to try it, without anything from elsewhere.

Enters: nothing. Leaves: one page, its script and its style, from the package's folder `pages`.
"""

from __future__ import annotations

from importlib import resources
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_FILES: Final = {
    "/docs": ("docs.html", "text/html"),
    "/docs/docs.js": ("docs.js", "text/javascript"),
    "/docs/docs.css": ("docs.css", "text/css"),
}
_HEADERS: Final = {
    "cache-control": "no-cache",
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def _contents() -> dict[str, tuple[bytes, str]]:
    folder = resources.files("serinus.services.app_service").joinpath("pages")
    return {
        path: (folder.joinpath(name).read_bytes(), kind) for path, (name, kind) in _FILES.items()
    }


_CONTENTS: Final = _contents()


async def try_out(request: Request) -> Response:
    """See the module."""
    body, kind = _CONTENTS[request.url.path]
    return Response(body, media_type=kind, headers=_HEADERS)


ROUTES: Final = [Route(path, try_out, methods=["GET"]) for path in _FILES]
