"""POST /v2/models/{name}[/versions/{version}]/infer: predictions in the V2 protocol."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serinus.services.chassis import http
from serinus.services.chassis.http import ProblemError
from serinus.services.model_service import tensors
from serinus.services.model_service.predictor import MAX_BODY_BYTES, InputError
from serinus.services.model_service.routes.open_inference.model import named

HEADER_LENGTH: Final = "inference-header-content-length"


async def infer(request: Request) -> Response:
    """See the module. The content type is not looked at: V2 clients send various ones or none."""
    predictor = named(request)
    declared = request.headers.get(HEADER_LENGTH)
    if declared is not None and not (declared.isascii() and declared.isdecimal()):
        raise ProblemError(400, f"{HEADER_LENGTH} is not a number")
    body = await http.body(request, MAX_BODY_BYTES)
    try:
        asked, texts = tensors.parse(body, None if declared is None else int(declared))
        results = await predictor.predict(texts)
        model = (predictor.manifest.name, predictor.manifest.version)
        data, json_length = tensors.answer(asked, model, results)
    except InputError as error:
        place = "" if error.index is None else f"element {error.index} of the input: "
        raise ProblemError(400, f"{place}{error.detail}") from error
    except tensors.ProtocolError as error:
        raise ProblemError(400, str(error)) from error
    if json_length is None:
        return Response(data, media_type="application/json")
    return Response(
        data, headers={HEADER_LENGTH: str(json_length)}, media_type="application/octet-stream"
    )


ROUTES: Final = [
    Route("/v2/models/{name}/infer", infer, methods=["POST"]),
    Route("/v2/models/{name}/versions/{version}/infer", infer, methods=["POST"]),
]
