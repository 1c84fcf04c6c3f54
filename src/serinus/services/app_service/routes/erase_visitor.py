"""DELETE /v1/visitors/me: forget who wrote what, and what they wrote.

Enters: `x-user`, or the feedback token of a direct API client's review. Leaves: how many reviews
lost text and writer. What they counted for in an experiment stays counted.
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serinus.contracts import api
from serinus.services.app_service.openapi import Operation
from serinus.services.app_service.present import NO_STORE
from serinus.services.app_service.service import of
from serinus.services.chassis.http import json_response

OPERATION: Final = Operation(
    operation_id="eraseVisitor",
    summary="Erase yourself",
    description="Deletes the texts of the caller's reviews and cuts every link to the caller, at "
    "once and for good. A direct API client erases the one review its token belongs to.",
    answers={200: (api.Erasure, "How many reviews were erased.")},
    problems=(401, 503),
    token=True,
)


async def erase_visitor(request: Request) -> Response:
    """See the module."""
    service = of(request)
    caller = service.caller(request)
    caller.require_credentials()
    unit = caller.origin.unit
    if caller.user is None and caller.token_review is not None:
        review = await service.store.review(caller.token_review)
        if review is None or review.erased:
            return json_response(api.Erasure(0), headers=NO_STORE)
        unit = review.unit
    erased = await service.store.erase(unit)
    return json_response(api.Erasure(erased), headers=NO_STORE)


ROUTE: Final = Route("/v1/visitors/me", erase_visitor, methods=["DELETE"])
