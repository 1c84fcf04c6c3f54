"""GET /v2 and GET /v2/models/{name}[/versions/{version}]: what the server and the model are."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serinus.services.chassis.http import json_response
from serinus.services.model_service.predictor import Predictor
from serinus.services.model_service.routes.open_inference.model import named
from serinus.services.model_service.tensors import CONFIDENCE, INPUT, LABEL


async def server(request: Request) -> Response:
    """Name, version and extensions of the server."""
    predictor: Predictor = request.app.state.predictor
    settings = predictor.settings
    return json_response(
        {"name": settings.app, "version": settings.version, "extensions": ["binary_tensor_data"]}
    )


async def model(request: Request) -> Response:
    """The model's inputs and outputs; `parameters.manifest` is the artifact's manifest."""
    manifest = named(request).manifest
    return json_response(
        {
            "name": manifest.name,
            "versions": [manifest.version],
            "platform": f"serinus_{manifest.engine}",
            "inputs": [{"name": INPUT, "datatype": "BYTES", "shape": [-1]}],
            "outputs": [
                {"name": LABEL, "datatype": "BYTES", "shape": [-1]},
                {"name": CONFIDENCE, "datatype": "FP64", "shape": [-1]},
            ],
            "parameters": {"manifest": manifest},
        }
    )


ROUTES: Final = [
    Route("/v2", server, methods=["GET"]),
    Route("/v2/models/{name}", model, methods=["GET"]),
    Route("/v2/models/{name}/versions/{version}", model, methods=["GET"]),
]
