"""GET /version: who answers here, and the model it has loaded."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serinus.contracts.api import VersionInfo
from serinus.services.chassis.http import json_response
from serinus.services.model_service.predictor import Predictor


async def version(request: Request) -> Response:
    """See the module."""
    predictor: Predictor = request.app.state.predictor
    settings = predictor.settings
    answer = VersionInfo(settings.app, settings.version, settings.track, predictor.model)
    return json_response(answer, headers={"cache-control": "no-store"})


ROUTE: Final = Route("/version", version, methods=["GET"])
