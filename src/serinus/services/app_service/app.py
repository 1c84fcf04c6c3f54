"""Puts app-service together: store, model, metrics, routes.

Enters: the chassis with its settings. Leaves: the ASGI application, while its parts are open.
Called by `server.run` through `__main__`, and by tests with parts of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from serinus.contracts.routing import APP_FRONTEND
from serinus.errors import SettingsError
from serinus.services.app_service import openapi
from serinus.services.app_service.identity import Identity
from serinus.services.app_service.metrics import ServiceMetrics
from serinus.services.app_service.predictor import ModelService
from serinus.services.app_service.routes import OPERATIONS, ROUTES, describe
from serinus.services.app_service.service import Service
from serinus.services.app_service.settings import Settings
from serinus.services.app_service.store.base import Store, StoreUnavailableError
from serinus.services.app_service.store.sqlite import SqliteStore
from serinus.services.chassis.http import EXCEPTION_HANDLERS, ProblemError, problem_response
from serinus.services.chassis.server import Chassis

_LOG = logging.getLogger("serinus.app_service")
DATABASE_FILE: Final = "events.db"
INTERRUPTED_SECONDS: Final = 120.0
"""After which a review still `pending` was left by a process that died."""


def open_store(settings: Settings) -> Store:
    """The store that the settings ask for, not opened yet; raises SettingsError."""
    if settings.database_url:
        # Imported here because SQLite is enough for most and needs no driver.
        from serinus.services.app_service.store.postgres import PostgresStore

        return PostgresStore(settings.database_url)
    if not settings.data_dir:
        raise SettingsError(
            "cannot start: neither SERINUS_DATA_DIR nor DATABASE_URL is set",
            where="environment",
            remedy="Set SERINUS_DATA_DIR to a directory for SQLite, or DATABASE_URL to PostgreSQL.",
        )
    return SqliteStore(Path(settings.data_dir) / DATABASE_FILE)


@asynccontextmanager
async def build(chassis: Chassis[Settings]) -> AsyncIterator[Starlette]:
    """The application, its store open and its model's address known."""
    settings = chassis.settings
    store = open_store(settings)
    # A database is shared: were it a condition, its outage would end all of this, which can say so.
    chassis.health.add("store", store.check, to_start=bool(settings.database_url))
    chassis.telemetry.expect_callers(APP_FRONTEND)
    await store.open()
    try:
        async with ModelService(
            settings.model_service_url, settings.model_timeout_seconds
        ) as predictor:
            metrics = ServiceMetrics(chassis.telemetry, store)
            service = Service(settings, Identity(settings.unit_key), store, predictor, metrics)
            sweeping = asyncio.create_task(_sweep(store))
            try:
                yield application(service)
            finally:
                sweeping.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await sweeping
    finally:
        await store.close()


def application(service: Service) -> Starlette:
    """The ASGI application around `service`."""
    app = Starlette(
        routes=ROUTES,
        exception_handlers={**EXCEPTION_HANDLERS, StoreUnavailableError: _on_unavailable},
    )
    app.router.redirect_slashes = False
    app.state.service = service
    document = openapi.document(service.settings.version, OPERATIONS)
    setattr(app.state, describe.DOCUMENT, msgspec.json.encode(document))
    return app


async def _on_unavailable(request: Request, error: Exception) -> Response:
    assert isinstance(error, StoreUnavailableError)  # noqa: S101  # by registration
    _LOG.error("the store refuses", extra={"reason": error.reason})
    problem = ProblemError(
        503,
        f"Nothing was kept: {error.reason}. Try again a little later.",
        headers={"retry-after": str(error.retry_after), "cache-control": "no-store"},
    )
    return problem_response(problem, request.url.path)


async def _sweep(store: Store) -> None:
    """Mark what a dead process left `pending`, now and every minute."""
    while True:
        try:
            if found := await store.interrupt(INTERRUPTED_SECONDS):
                _LOG.warning("reviews were left pending", extra={"reviews": found})
        except StoreUnavailableError as error:
            _LOG.warning("the store refuses", extra={"reason": error.reason})
        await asyncio.sleep(60)
