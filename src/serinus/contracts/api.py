"""Wire types between visitor, app-frontend, app-service and model-service.

Enters and leaves: JSON, by msgspec. Used by the three services, the simulated visitors and tests.
Times are RFC 3339 in UTC with microseconds; errors are RFC 9457 problem details.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

MAX_REVIEW_CHARACTERS: Final = 5_000

Sentiment = Literal["positive", "negative"]
FeedbackAction = Literal["confirm", "override"]
ReviewStatus = Literal["pending", "ok", "failed"]


class ReviewSubmission(Struct, forbid_unknown_fields=True):
    """POST /v1/reviews. `text` is trimmed by the service; 1 to 5,000 characters must remain."""

    text: str
    show_confidence: bool = False


class ModelInfo(Struct, frozen=True):
    """The model that predicted: `digest` is the SHA-256 of its artifact, 64 hexadecimal digits."""

    name: str
    version: str
    digest: str


class Review(Struct, frozen=True):
    """A review as its writer sees it; 201 of POST /v1/reviews and GET /v1/reviews/{id}.

    `confidence` is the probability of `sentiment`, 0.5 to 1. `feedback_token` is set once, in the
    201 for a caller without `x-user`. `served_by` lists `<app>/<track>` of each hop.
    """

    id: str
    text: str | None
    status: ReviewStatus
    sentiment: Sentiment | None
    confidence: float | None
    model: ModelInfo | None
    track: str
    created_at: datetime
    served_by: list[str]
    failure: str | None = None
    feedback: Feedback | None = None
    feedback_token: str | None = None


class FeedbackSubmission(Struct, forbid_unknown_fields=True):
    """POST /v1/reviews/{id}/feedback; `sentiment` goes with `override` only."""

    action: FeedbackAction
    sentiment: Sentiment | None = None


class Feedback(Struct, frozen=True):
    """The feedback in force: the latest one that the writer gave."""

    action: FeedbackAction
    sentiment: Sentiment
    recorded_at: datetime


class ExposureSubmission(Struct, forbid_unknown_fields=True):
    """POST /v1/exposures, by app-frontend with `x-user` and `x-assignment`."""

    trigger: Literal["page", "result"]


class Erasure(Struct, frozen=True):
    """DELETE /v1/visitors/me: how many reviews lost their text and their writer."""

    reviews: int


class VersionInfo(Struct, frozen=True):
    """GET /version of each service; `upstream` is what it calls, `None` while unreachable."""

    app: str
    version: str
    track: str
    model: ModelInfo | None = None
    upstream: VersionInfo | None = None


class PredictRequest(Struct, forbid_unknown_fields=True):
    """POST /v1/predict of model-service: either `text` or `texts`."""

    text: str | None = None
    texts: Annotated[list[str], Meta(max_length=1_000)] | None = None


class Prediction(Struct, frozen=True):
    """`confidence` is the calibrated probability of `label`, 0.5 to 1."""

    label: Sentiment
    confidence: float


class PredictResponse(Struct, frozen=True):
    """One prediction per text, in order."""

    model: ModelInfo
    predictions: list[Prediction]


class FieldProblem(Struct, frozen=True):
    """One wrong field of a request; `field` is its JSON path without `$.`."""

    field: str
    detail: str


class Problem(Struct, frozen=True, omit_defaults=True):
    """RFC 9457 problem details, `application/problem+json`."""

    title: str
    status: int
    type: str = "about:blank"
    detail: str = ""
    instance: str = ""
    request_id: str = ""
    errors: list[FieldProblem] = msgspec.field(default_factory=list)
