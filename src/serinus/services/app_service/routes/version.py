"""GET /version: who answers here, and which model predicts."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serinus.contracts.api import VersionInfo
from serinus.services.app_service.openapi import Operation
from serinus.services.app_service.service import of
from serinus.services.chassis.context import current
from serinus.services.chassis.http import json_response

OPERATION: Final = Operation(
    operation_id="version",
    summary="Versions and tracks of app-service and model-service",
    description="`upstream` is `null` while model-service can't be reached.",
    answers={200: (VersionInfo, "The versions.")},
)


async def version(request: Request) -> Response:
    """See the module."""
    service = of(request)
    settings = service.settings
    context = current()
    upstream = await service.predictor.version(context.outgoing(service.name))
    model = upstream.model if upstream else None
    answer = VersionInfo(settings.app, settings.version, settings.track, model, upstream)
    return json_response(answer, headers={"cache-control": "no-store"})


ROUTE: Final = Route("/version", version, methods=["GET"])
