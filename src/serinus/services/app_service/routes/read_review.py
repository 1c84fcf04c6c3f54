"""GET /v1/reviews/{id}: a review for the one who wrote it."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serinus.contracts import api
from serinus.services.app_service.openapi import REVIEW_ID, Operation
from serinus.services.app_service.present import NO_STORE, present
from serinus.services.app_service.service import of
from serinus.services.chassis.http import json_response

OPERATION: Final = Operation(
    operation_id="readReview",
    summary="Read a review",
    description="Only the visitor who wrote it may. While its status is `pending` or `failed` it "
    "has no sentiment.",
    answers={200: (api.Review, "The review, with the feedback in force.")},
    parameters=(REVIEW_ID,),
    problems=(401, 404, 503),
    token=True,
)


async def read_review(request: Request) -> Response:
    """See the module."""
    service = of(request)
    review = await service.owned_review(request, service.caller(request))
    return json_response(present(review), headers=NO_STORE)


ROUTE: Final = Route("/v1/reviews/{review_id}", read_review, methods=["GET"])
