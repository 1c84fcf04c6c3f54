"""POST /reviews/{id}/feedback: confirm the model's reading, or correct it.

Enters: `action` (confirm or override) and, for override, `sentiment`. Leaves: 303 to the review,
or an error page whose button sends the same answer again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from serinus.contracts.api import FeedbackSubmission, Sentiment
from serinus.services.app_frontend import forms
from serinus.services.app_frontend.api import UnavailableError
from serinus.services.app_frontend.errors import Retry, error_page, unavailable
from serinus.services.app_frontend.pages import of, review_id, visit_of


async def give_feedback(request: Request) -> Response:
    """See the module."""
    fields = await forms.read(request)
    review = review_id(request)
    submission = _submission(fields)
    answer = {name: value for name, value in fields.items() if name in ("action", "sentiment")}
    retry = Retry(request.url.path, "Send my answer again", fields=answer)
    if not forms.token_accepted(request, fields):
        return await error_page(request, 403, retry=retry)
    try:
        await of(request).reviews.give_feedback(visit_of(request), review, submission)
    except UnavailableError as error:
        return await unavailable(request, error, retry)
    return RedirectResponse(f"/reviews/{review}", 303)


def _submission(fields: Mapping[str, str]) -> FeedbackSubmission:
    """What the buttons say; HTTPException of 400 for what no button says."""
    sentiment = fields.get("sentiment")
    match fields.get("action"):
        case "confirm":
            # The form carries the other sentiment for its second button.
            return FeedbackSubmission("confirm")
        case "override" if sentiment in ("positive", "negative"):
            return FeedbackSubmission("override", cast("Sentiment", sentiment))
    raise HTTPException(400)


ROUTE: Final = Route("/reviews/{review}/feedback", give_feedback, methods=["POST"])
