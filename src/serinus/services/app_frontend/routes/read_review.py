"""GET /reviews/{id}: a review, how the model read it, and what its writer said to that."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serinus.services.app_frontend.exposures import record
from serinus.services.app_frontend.pages import of, review_id, visit_of


async def read_review(request: Request) -> Response:
    """See the module."""
    frontend, visit = of(request), visit_of(request)
    review = await frontend.reviews.read(visit, review_id(request))
    page = frontend.result(request, review)
    if review.status != "ok":
        return await page
    # The prediction is shown, so this is the moment of exposure; the page need not wait for it.
    answer, _ = await asyncio.gather(page, record(frontend.reviews, visit, "result"))
    return answer


ROUTE: Final = Route("/reviews/{review}", read_review, methods=["GET"])
