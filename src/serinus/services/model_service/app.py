"""Puts model-service together: model, metrics, routes.

Enters: the chassis with its settings. Leaves: the ASGI application, once the model is loaded.
Called by `server.run` through `__main__`, and by tests with an engine of their own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from serinus.contracts.routing import APP_SERVICE
from serinus.services.chassis.health import Health
from serinus.services.chassis.server import Chassis
from serinus.services.chassis.telemetry import ASGIApp, Receive, Scope, Send
from serinus.services.model_service.artifact import Loading
from serinus.services.model_service.metrics import ModelMetrics
from serinus.services.model_service.predictor import Predictor
from serinus.services.model_service.routes import predict, routes
from serinus.services.model_service.routes.open_inference.errors import HANDLERS
from serinus.services.model_service.settings import Settings


@asynccontextmanager
async def build(chassis: Chassis[Settings]) -> AsyncIterator[ASGIApp]:
    """The application, its model loaded; until then readiness names what is missing."""
    metrics = ModelMetrics(chassis.telemetry)
    loading = Loading(chassis.settings, metrics)
    chassis.health.add("model", loading.check)
    chassis.telemetry.expect_callers(APP_SERVICE)
    engine = await loading.load()
    yield application(Predictor(chassis.settings, engine, metrics), chassis.health)


def application(predictor: Predictor, health: Health) -> ASGIApp:
    """The ASGI application around `predictor`.

    Predictions go straight to their handler: routing them takes longer than predicting does.
    Everything else, other methods on the same path too, is Starlette's.
    """
    hot = predict.Predict(predictor)
    others = Starlette(routes=routes(hot), exception_handlers=HANDLERS)
    others.router.redirect_slashes = False
    others.state.predictor = predictor
    others.state.health = health

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == predict.PATH and scope["method"] == "POST":
            await hot(scope, receive, send)
        else:
            await others(scope, receive, send)

    return handle
