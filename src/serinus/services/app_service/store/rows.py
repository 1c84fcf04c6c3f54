"""What both databases share: the parameters of their statements, the meaning of their rows.

Enters: values of `base` and rows as selected. Leaves: named parameters and values of `base`.
Nothing here talks to a database. Used by `sqlite` and `postgres`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal

from serinus.contracts.api import Feedback, FeedbackAction, Sentiment
from serinus.services.app_service.store.base import (
    Event,
    NewReview,
    NoPredictionError,
    Origin,
    Outcome,
    StoredReview,
)

INTERRUPTED: Final = "The service stopped before the prediction was made."

EventKind = Literal["review", "feedback", "exposure"]

_COMMON: Final = (
    "unit", "epoch", "weight", "arm", "enrolment", "client_class", "frontend_track",
    "service_track",
)  # fmt: skip
_EVENT_FIELDS: Final[dict[EventKind, tuple[str, ...]]] = {
    "review": (
        *_COMMON, "model_track", "status", "label", "confidence", "model_version",
        "model_digest", "confidence_shown", "flags_digest", "failure",
    ),
    "feedback": (*_COMMON, "review", "action", "sentiment"),
    "exposure": (*_COMMON, "trigger"),
}  # fmt: skip
"""The columns that each kind selects after its key and time, under the names of `Event`."""


def event(
    kind: EventKind, key: object, cursor: str, recorded_at: datetime, columns: Sequence[Any]
) -> Event:
    """One event; `columns` are in the order of the kind's fields."""
    fields = dict(zip(_EVENT_FIELDS[kind], columns, strict=True))
    if kind == "review":
        fields["confidence_shown"] = bool(fields["confidence_shown"])
    return Event(kind=kind, id=str(key), cursor=cursor, recorded_at=recorded_at, **fields)


def origin_parameters(origin: Origin) -> dict[str, Any]:
    """Unit, assignment and tracks of a request."""
    assignment = origin.assignment
    return {
        "unit": origin.unit,
        "epoch": assignment.epoch,
        "weight": assignment.weight,
        "arm": assignment.arm,
        "enrolment": assignment.enrolment,
        "client_class": origin.client_class,
        "frontend_track": origin.frontend_track,
        "service_track": origin.service_track,
    }


def review_parameters(review: NewReview) -> dict[str, Any]:
    """A new review, with its text."""
    return {
        "id": review.id,
        "idempotency": review.idempotency,
        "content": review.content,
        "text": review.text,
        "confidence_shown": review.confidence_shown,
        "flags_digest": review.flags_digest,
        **origin_parameters(review.origin),
    }


def pending_review(review: NewReview, recorded_at: datetime) -> StoredReview:
    """What a store has just written, without reading it again."""
    assignment = review.origin.assignment
    return StoredReview(
        id=review.id,
        unit=review.origin.unit,
        arm=assignment.arm,
        epoch=assignment.epoch,
        weight=assignment.weight,
        enrolment=assignment.enrolment,
        frontend_track=review.origin.frontend_track,
        service_track=review.origin.service_track,
        model_track=None,
        recorded_at=recorded_at,
        status="pending",
        failure=None,
        label=None,
        confidence=None,
        model_name=None,
        model_version=None,
        model_digest=None,
        feedback_action=None,
        feedback_sentiment=None,
        feedback_at=None,
        content=review.content,
        erased=False,
        text=review.text,
    )


def outcome_parameters(review_id: str, outcome: Outcome) -> dict[str, Any]:
    """A prediction or a failure; of the origin only the tracks, never the arm."""
    model = outcome.model
    return {
        "id": review_id,
        "label": outcome.label,
        "confidence": outcome.confidence,
        "model_name": model and model.name,
        "model_version": model and model.version,
        "model_digest": model and model.digest,
        "frontend_track": outcome.origin.frontend_track,
        "service_track": outcome.origin.service_track,
        "model_track": outcome.model_track,
        "confidence_shown": outcome.confidence_shown,
        "flags_digest": outcome.flags_digest,
        "failure": outcome.failure,
    }


def feedback_in_force(review: StoredReview) -> Feedback | None:
    """The latest feedback of a review."""
    if not (review.feedback_action and review.feedback_sentiment and review.feedback_at):
        return None
    return Feedback(review.feedback_action, review.feedback_sentiment, review.feedback_at)


def feedback_meant(
    review: StoredReview, action: FeedbackAction, sentiment: Sentiment | None
) -> Sentiment:
    """The sentiment that feedback puts in force; raises NoPredictionError when it makes no sense.

    An arm is judged by its overrides, so one that repeats the prediction is refused, not counted.
    """
    if review.label is None:
        raise NoPredictionError("This review has no prediction to confirm or override.")
    if action == "confirm":
        return review.label
    if sentiment is None or sentiment == review.label:
        raise NoPredictionError("An override needs the sentiment that the prediction is not.")
    return sentiment
