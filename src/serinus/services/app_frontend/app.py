"""Puts app-frontend together: app-service, templates, routes.

Enters: the chassis with its settings. Leaves: the ASGI application, while its client is open.
Called by `server.run` through `__main__`, and by tests with `Reviews` of their own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from serinus.services.app_frontend import errors, layer
from serinus.services.app_frontend.api import AppService
from serinus.services.app_frontend.pages import Frontend
from serinus.services.app_frontend.routes import ROUTES
from serinus.services.app_frontend.settings import Settings
from serinus.services.chassis.server import Chassis
from serinus.services.chassis.telemetry import ASGIApp, Telemetry


@asynccontextmanager
async def build(chassis: Chassis[Settings]) -> AsyncIterator[ASGIApp]:
    """The application, its client of app-service open.

    Readiness does not depend on app-service: while that is away this service has a page to say so.
    """
    settings = chassis.settings
    async with AppService(
        settings.app_service_url,
        settings.app_service_timeout_seconds,
        f"{settings.app}/{settings.track}",
    ) as reviews:
        frontend = Frontend(settings, reviews)
        try:
            yield application(frontend, chassis.telemetry)
        finally:
            await frontend.versions.close()


def application(frontend: Frontend, telemetry: Telemetry) -> ASGIApp:
    """The ASGI application around `frontend`."""
    app = Starlette(routes=ROUTES, exception_handlers=errors.HANDLERS)
    app.router.redirect_slashes = False
    app.state.frontend = frontend
    return layer.around(app, telemetry, frontend.settings.track)
