"""POST /v1/reviews/{id}/feedback: confirm a prediction, or say what is right.

Enters: an action. Leaves: the feedback in force. Never refused for lateness, always changeable;
each change is kept, in the arm of the review, whichever track serves this request.
"""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serinus.contracts import api
from serinus.contracts.api import FeedbackSubmission, FieldProblem
from serinus.services.app_service.openapi import REVIEW_ID, Operation
from serinus.services.app_service.present import NO_STORE
from serinus.services.app_service.service import of
from serinus.services.app_service.store.base import NoPredictionError
from serinus.services.chassis.http import ProblemError, decode, json_response

_DECODER: Final = msgspec.json.Decoder(FeedbackSubmission)

OPERATION: Final = Operation(
    operation_id="giveFeedback",
    summary="Confirm or correct a prediction",
    description="`confirm` goes without `sentiment`, `override` with the sentiment that is right. "
    "The same feedback again changes nothing; other feedback replaces it.",
    body=FeedbackSubmission,
    example={"action": "override", "sentiment": "negative"},
    answers={200: (api.Feedback, "The feedback now in force.")},
    parameters=(REVIEW_ID,),
    problems=(400, 401, 404, 409, 413, 415, 422, 503),
    token=True,
)


async def give_feedback(request: Request) -> Response:
    """See the module."""
    service = of(request)
    caller = service.caller(request)
    review = await service.owned_review(request, caller)
    submission = await decode(request, _DECODER, 4_000)
    problem = ""
    if submission.action == "confirm" and submission.sentiment is not None:
        problem = "confirm takes no sentiment: it stands by the predicted one."
    elif submission.action == "override" and submission.sentiment is None:
        problem = "override needs the sentiment that is right."
    elif submission.sentiment is not None and submission.sentiment == review.label:
        problem = "This is what was predicted: confirm it instead."
    if problem:
        raise ProblemError(422, problem, errors=[FieldProblem("sentiment", problem)])
    try:
        given = await service.store.give_feedback(
            review.id, submission.action, submission.sentiment, caller.origin
        )
    except NoPredictionError as error:
        raise ProblemError(409, str(error)) from error
    if given is None:
        raise ProblemError(404, "You have no review with this id.")
    if given.changed:
        service.metrics.feedback(given)
    return json_response(given.feedback, headers=NO_STORE)


ROUTE: Final = Route("/v1/reviews/{review_id}/feedback", give_feedback, methods=["POST"])
