"""GET /v2/health/live, /v2/health/ready and the readiness of the model."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serinus.services.chassis.health import Health
from serinus.services.chassis.http import json_response
from serinus.services.model_service.routes.open_inference.model import named


async def live(_: Request) -> Response:
    """Whoever answers is alive."""
    return json_response({"live": True})


async def ready(request: Request) -> Response:
    """503 while stopping; before the model is loaded nothing listens here at all."""
    health: Health = request.app.state.health
    return json_response({"ready": not health.stopping}, 503 if health.stopping else 200)


async def model_ready(request: Request) -> Response:
    """Ready as the server is, 404 for another model."""
    predictor = named(request)
    health: Health = request.app.state.health
    return json_response(
        {"name": predictor.manifest.name, "ready": not health.stopping},
        503 if health.stopping else 200,
    )


ROUTES: Final = [
    Route("/v2/health/live", live, methods=["GET"]),
    Route("/v2/health/ready", ready, methods=["GET"]),
    Route("/v2/models/{name}/ready", model_ready, methods=["GET"]),
    Route("/v2/models/{name}/versions/{version}/ready", model_ready, methods=["GET"]),
]
