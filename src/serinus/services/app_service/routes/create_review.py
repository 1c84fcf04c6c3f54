"""POST /v1/reviews: keep a review, predict its sentiment, answer with both.

Enters: a review's text. Leaves: 201 with the prediction, or 503 with the review kept as failed.
The review is in the store before the model is called, and the prediction on disk before the 201.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serinus.contracts import api, routing
from serinus.contracts.api import MAX_REVIEW_CHARACTERS, FieldProblem, ReviewSubmission
from serinus.services.app_service.caller import Caller
from serinus.services.app_service.openapi import IDEMPOTENCY_KEY, Operation
from serinus.services.app_service.predictor import PredictionError
from serinus.services.app_service.present import NO_STORE, present
from serinus.services.app_service.service import Service, of
from serinus.services.app_service.store.base import NewReview, Outcome, StoredReview
from serinus.services.chassis.http import ProblemError, decode, json_response

_DECODER: Final = msgspec.json.Decoder(ReviewSubmission)
MAX_BODY: Final = 64_000
"""Bytes; 5,000 characters of any kind fit in, even when each is escaped."""

OPERATION: Final = Operation(
    operation_id="createReview",
    summary="Submit a review and get its predicted sentiment",
    description="The answer to a direct API client carries a `feedback_token`: the bearer token "
    "with which this review can be read, corrected and erased. It isn't shown again, except in "
    "the answer to a repeated submission.",
    body=ReviewSubmission,
    example={"text": "The soup was cold and the waiter never came back."},
    answers={201: (api.Review, "The review with its prediction.")},
    parameters=(IDEMPOTENCY_KEY,),
    problems=(400, 413, 415, 422, 503),
    answer_headers={"location": "The review's address."},
)


async def create_review(request: Request) -> Response:
    """See the module."""
    service = of(request)
    caller = service.caller(request)
    submission = await decode(request, _DECODER, MAX_BODY)
    text = checked_text(submission.text)
    key = caller.idempotency_key
    new = NewReview(
        id=caller.new_review_id(),
        origin=caller.origin,
        text=text,
        confidence_shown=submission.show_confidence,
        flags_digest=flags_digest(submission.show_confidence),
        content=service.identity.digest("review", text),
        idempotency=None if key is None else service.identity.digest("idempotency-key", key),
    )
    review = await service.store.submit(new)
    if review.content is None or not hmac.compare_digest(review.content, new.content):
        detail = "This idempotency-key came with another review before; choose a new key."
        raise ProblemError(422, detail, errors=[FieldProblem("text", detail)])
    if review.status != "ok":
        review = await _predict(service, caller, review, new)
    token = service.identity.token(review.id) if caller.user is None else None
    return json_response(
        present(review, token), 201, {"location": f"/v1/reviews/{review.id}", **NO_STORE}
    )


ROUTE: Final = Route("/v1/reviews", create_review, methods=["POST"])


def checked_text(text: str) -> str:
    """`text` without white space around it; raises ProblemError of 422 naming the field."""
    text = text.strip()
    if not text:
        problem = "Write at least one character."
    elif len(text) > MAX_REVIEW_CHARACTERS:
        problem = f"Write at most {MAX_REVIEW_CHARACTERS:,} characters; these are {len(text):,}."
    elif "\0" in text:
        # PostgreSQL can't keep it, and no visitor can mean it.
        problem = "The character U+0000 is not allowed."
    else:
        return text
    raise ProblemError(422, problem, errors=[FieldProblem("text", problem)])


def flags_digest(show_confidence: bool) -> str:
    """A digest of the feature flags a review was shown under: 16 hexadecimal digits."""
    return _FLAGS[show_confidence]


_FLAGS: Final = {
    shown: sha256(msgspec.json.encode({"show_confidence": shown})).hexdigest()[:16]
    for shown in (False, True)
}


async def _predict(
    service: Service, caller: Caller, review: StoredReview, new: NewReview
) -> StoredReview:
    headers = caller.context.outgoing(service.name)
    if caller.user is not None:
        headers[routing.HEADER_USER] = caller.user
    if assignment := str(caller.origin.assignment):
        headers[routing.HEADER_ASSIGNMENT] = assignment
    enrolment = caller.context.enrolment
    try:
        answer = await service.predictor.predict(new.text, headers)
    except PredictionError as error:
        outcome = Outcome(caller.origin, new.confidence_shown, new.flags_digest, failure=str(error))
        stored, _ = await service.store.finish(review.id, outcome)
        if stored is not None and stored.status == "ok":
            return stored  # the same submission, sent twice at once, succeeded the other time
        if review.status == "pending":
            service.metrics.review("failed", enrolment)
        raise ProblemError(
            503,
            f"{error} Your review is kept; send it again with the same idempotency-key.",
            headers={"retry-after": "1", "location": f"/v1/reviews/{review.id}", **NO_STORE},
        ) from error
    caller.context.add_served_by(answer.served_by)
    hop = answer.served_by.partition(",")[0].strip()
    outcome = Outcome(
        caller.origin,
        new.confidence_shown,
        new.flags_digest,
        label=answer.prediction.label,
        confidence=answer.prediction.confidence,
        model=answer.model,
        model_track=hop.partition("/")[2] or None,
    )
    stored, changed = await service.store.finish(review.id, outcome)
    if stored is None:
        raise ProblemError(404, "The review was deleted while its sentiment was predicted.")
    if changed:
        service.metrics.review("ok", enrolment)
    return stored
