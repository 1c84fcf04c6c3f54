"""POST /reviews: send a review to app-service, then show it under its own address.

Enters: the form of `write`. Leaves: 303 to the review, or the form again with the text still in
it: 403 for a token that does not fit, 422 for a wrong text, 503 while app-service is away.
"""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from serinus.contracts.api import Review, ReviewSubmission
from serinus.services.app_frontend import forms
from serinus.services.app_frontend.api import RefusedError, UnavailableError
from serinus.services.app_frontend.exposures import record
from serinus.services.app_frontend.pages import of, visit_of
from serinus.services.app_frontend.routes.write import form


async def create_review(request: Request) -> Response:
    """See the module."""
    fields = await forms.read(request)
    text = forms.cleaned(fields.get("text", ""))
    key = forms.kept_key(fields)
    if not forms.token_accepted(request, fields):
        trouble = (
            "We could not check that this form came from you, perhaps because it is old or your "
            "browser sends no cookies. Your text is still here: please send it once more."
        )
        return await form(request, 403, text=text, key=key, trouble=trouble)
    if problem := forms.text_problem(text):
        return await form(request, 422, text=text, key=key, problem=problem)
    try:
        review = await _submit(request, text, key)
    except UnavailableError as error:
        trouble = (
            "The part that reads reviews does not answer at the moment. Your text is still here: "
            "please try again in a few seconds."
        )
        return await form(
            request, 503, text=text, key=key, trouble=trouble, retry_after=error.retry_after
        )
    except RefusedError as error:
        if error.status not in (413, 422):
            raise
        return await form(request, 422, text=text, problem=str(error))
    return RedirectResponse(f"/reviews/{review.id}", 303)


async def _submit(request: Request, text: str, key: str) -> Review:
    frontend, visit = of(request), visit_of(request)
    submission = ReviewSubmission(text, frontend.settings.show_confidence)
    # A browser that loads no pictures is exposed here at the latest.
    exposing = asyncio.ensure_future(record(frontend.reviews, visit, "page"))
    try:
        return await frontend.reviews.submit(visit, submission, forms.idempotency_key(key, text))
    finally:
        await exposing


ROUTE: Final = Route("/reviews", create_review, methods=["POST"])
