"""Renders the pages.

Enters: a template's name and values. Leaves: HTML answers. Holds what every page shows: the
addresses of the assets, the visitor's form token, the versions in the footer. Used by the routes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse

from serinus.contracts.api import MAX_REVIEW_CHARACTERS, Review, VersionInfo
from serinus.services.app_frontend.api import Reviews
from serinus.services.app_frontend.assets import Assets
from serinus.services.app_frontend.csrf import Csrf
from serinus.services.app_frontend.identity import Visit
from serinus.services.app_frontend.settings import Settings
from serinus.services.app_frontend.versions import Versions
from serinus.services.chassis import context

_REVIEW_ID: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")
OPPOSITE: Final = {"positive": "negative", "negative": "positive"}


@dataclass(frozen=True, slots=True)
class Line:
    """One service in the footer; `version` and `track` are `None` while it is out of reach."""

    app: str
    version: str | None
    track: str | None


class Frontend:
    """What the routes share: settings, app-service, tokens, assets and the templates."""

    def __init__(self, settings: Settings, reviews: Reviews) -> None:
        self.settings = settings
        self.reviews = reviews
        self.csrf = Csrf(settings.session_key)
        self.assets = Assets(settings.track)
        self.versions = Versions(reviews)
        self._templates = Environment(
            loader=PackageLoader("serinus.services.app_frontend"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._templates.filters["percent"] = _percent
        self._templates.globals.update(
            asset=self.assets.url,
            build=self.assets.build,
            opposite=OPPOSITE,
            max_characters=MAX_REVIEW_CHARACTERS,
            show_confidence=settings.show_confidence,
        )

    async def page(
        self,
        request: Request,
        template: str,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **values: Any,
    ) -> HTMLResponse:
        """Render `template`, a name without its ending, for the request's visitor."""
        upstream = await self.versions.upstream()
        html = self._templates.get_template(f"{template}.html").render(
            values,
            csrf_token=self.csrf.token(visit_of(request).user),
            services=_lines(self.settings, upstream),
            model=_model(upstream),
            request_id=context.current().request_id,
        )
        return HTMLResponse(html, status, headers)

    async def result(
        self, request: Request, review: Review, status: int = 200, notice: str = ""
    ) -> HTMLResponse:
        """The page of one review, with `notice` above it."""
        return await self.page(request, "result", status, review=review, notice=notice)


def of(request: Request) -> Frontend:
    """The shared parts behind this request."""
    frontend: Frontend = request.app.state.frontend
    return frontend


def visit_of(request: Request) -> Visit:
    """The visit behind this request."""
    visit: Visit = request.scope["state"]["visit"]
    return visit


def review_id(request: Request) -> str:
    """The id in the address; HTTPException of 404 for what no review can be called."""
    found: str = request.path_params["review"]
    if not _REVIEW_ID.fullmatch(found):
        raise HTTPException(404)
    return found


def _lines(settings: Settings, upstream: VersionInfo | None) -> list[Line]:
    lines = [Line(settings.app, settings.version, settings.track)]
    below = upstream.upstream if upstream else None
    for app, found in (("app-service", upstream), ("model-service", below)):
        lines.append(Line(app, found.version, found.track) if found else Line(app, None, None))
    return lines


def _model(upstream: VersionInfo | None) -> str | None:
    """Name and version of the model that predicts now."""
    below = upstream.upstream if upstream else None
    model = (upstream and upstream.model) or (below and below.model)
    return f"{model.name} {model.version}" if model else None


def _percent(fraction: float) -> int:
    """A probability in whole percent; never 100 for what is not certain."""
    return min(round(fraction * 100), 99) if fraction < 1 else 100
