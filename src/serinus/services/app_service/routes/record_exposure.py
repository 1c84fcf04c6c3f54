"""POST /v1/exposures: an assigned visitor saw what their arm shows.

Enters: a trigger, `x-user` and `x-assignment` from app-frontend, which sends them only for a
request that already carried the visitor's cookies. Leaves: 201 for the first exposure of this
unit, arm, epoch and trigger; 204 for each later one, and for a visitor who takes no part.
"""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serinus.contracts.api import ExposureSubmission
from serinus.services.app_service.openapi import Operation
from serinus.services.app_service.service import of
from serinus.services.chassis.http import decode

_DECODER: Final = msgspec.json.Decoder(ExposureSubmission)

OPERATION: Final = Operation(
    operation_id="recordExposure",
    summary="Record that a visitor met their arm",
    description="For app-frontend inside the mesh: it needs the header `x-user`, which the "
    "gateway strips from what comes in. Forced visitors and those without an assignment are not "
    "recorded.",
    body=ExposureSubmission,
    example={"trigger": "page"},
    answers={
        201: (None, "Recorded: the first of its kind."),
        204: (None, "Nothing to record."),
    },
    problems=(400, 401, 413, 415, 422, 503),
)


async def record_exposure(request: Request) -> Response:
    """See the module."""
    service = of(request)
    caller = service.caller(request)
    caller.require_user()
    submission = await decode(request, _DECODER, 4_000)
    assignment = caller.origin.assignment
    if assignment.enrolment != "assigned" or assignment.arm is None:
        return Response(status_code=204)
    if not await service.store.expose(submission.trigger, caller.origin):
        return Response(status_code=204)
    service.metrics.exposure(submission.trigger, assignment.arm)
    return Response(status_code=201)


ROUTE: Final = Route("/v1/exposures", record_exposure, methods=["POST"])
