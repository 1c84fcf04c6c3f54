"""What an event store does, whichever database keeps it.

Enters: new reviews, outcomes, feedback, exposures, erasures. Leaves: stored reviews and events.
Implemented by `sqlite` and `postgres`, called by the routes, `metrics` and `app`.

A review is `pending` before the model is called and becomes `ok` or `failed`; only `ok` is final.
Every row has a place in the order of commits, and gets a new, later place whenever it changes: a
reader that keeps its cursor sees each row at least once in its last state and replaces what it
knew under the same kind and id.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

from msgspec import Struct

from serinus.contracts.api import Feedback, FeedbackAction, ModelInfo, ReviewStatus, Sentiment
from serinus.contracts.routing import Assignment, ClientClass, Enrolment, Trigger


class StoreUnavailableError(Exception):
    """The store cannot do it now: locked, full, or out of reach.

    Answered with 503 and `retry-after`; `retry_after` is in seconds.
    """

    def __init__(self, reason: str, retry_after: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class NoPredictionError(Exception):
    """Feedback on a review that has no prediction, or whose prediction it merely repeats."""


class Origin(Struct, frozen=True):
    """Who sent a request and which tracks served it; `unit` is 16 bytes."""

    unit: bytes
    assignment: Assignment
    client_class: ClientClass
    frontend_track: str | None
    service_track: str


class NewReview(Struct, frozen=True):
    """A review before its prediction.

    `idempotency` and `content` are 16-byte digests of the caller's key and of what was sent.
    """

    id: str
    origin: Origin
    text: str
    confidence_shown: bool
    flags_digest: str
    content: bytes
    idempotency: bytes | None = None


class Outcome(Struct, frozen=True):
    """How calling the model ended: a prediction, or `failure` in words.

    The tracks and flags are those of the request that got the prediction, which after a failure
    need not be the one that submitted the review.
    """

    origin: Origin
    confidence_shown: bool
    flags_digest: str
    label: Sentiment | None = None
    confidence: float | None = None
    model: ModelInfo | None = None
    model_track: str | None = None
    failure: str | None = None


class StoredReview(Struct, frozen=True):
    """A review as stored; `text` is gone once erased. The stores select in this order."""

    id: str
    unit: bytes
    arm: str | None
    epoch: int | None
    weight: int | None
    enrolment: Enrolment
    frontend_track: str | None
    service_track: str
    model_track: str | None
    recorded_at: datetime
    status: ReviewStatus
    failure: str | None
    label: Sentiment | None
    confidence: float | None
    model_name: str | None
    model_version: str | None
    model_digest: str | None
    feedback_action: FeedbackAction | None
    feedback_sentiment: Sentiment | None
    feedback_at: datetime | None
    content: bytes | None
    erased: bool
    text: str | None


class FeedbackGiven(Struct, frozen=True):
    """The feedback in force afterwards; `first_override` is true once in a review's life."""

    feedback: Feedback
    review_track: str
    changed: bool
    first_override: bool


class Size(Struct, frozen=True):
    """Bytes used by the store, and bytes at which its volume is full (`None`: unknown)."""

    used: int
    capacity: int | None


class Event(Struct, frozen=True, kw_only=True):
    """One row of the store, in its present state, for analysis.

    `id` is unique within `kind`. Fields that a kind has no use for are `None`: `trigger` belongs
    to exposures, `action` and `sentiment` to feedback (whose `review` is the id it is about),
    `status` to `failure` to reviews. `recorded_at` is the database's clock.
    """

    kind: Literal["review", "feedback", "exposure"]
    id: str
    cursor: str
    recorded_at: datetime
    unit: bytes
    epoch: int | None
    weight: int | None
    arm: str | None
    enrolment: Enrolment
    client_class: ClientClass
    frontend_track: str | None
    service_track: str
    model_track: str | None = None
    trigger: Trigger | None = None
    review: str | None = None
    action: FeedbackAction | None = None
    sentiment: Sentiment | None = None
    status: ReviewStatus | None = None
    label: Sentiment | None = None
    confidence: float | None = None
    model_version: str | None = None
    model_digest: str | None = None
    confidence_shown: bool | None = None
    flags_digest: str | None = None
    failure: str | None = None


class Events(Struct, frozen=True):
    """Events after a cursor, in order, and the cursor to ask with next time."""

    events: list[Event]
    cursor: str


START = ""
"""The cursor before the first event."""


@runtime_checkable
class Store(Protocol):
    """The event store. Every method raises StoreUnavailableError when the database refuses."""

    async def open(self) -> None:
        """Connect and bring the schema up to date; raises StoreError when that can't be."""

    async def close(self) -> None:
        """Finish what was started and let go of the database."""

    async def check(self) -> str | None:
        """What keeps the store from working, in words; `None` when it works."""

    async def submit(self, review: NewReview) -> StoredReview:
        """Keep a review as `pending`, or find the one with the same unit and idempotency key."""

    async def finish(self, review_id: str, outcome: Outcome) -> tuple[StoredReview | None, bool]:
        """Record how the prediction ended, durably; a review that is `ok` stays as it is.

        Returns the review and whether it changed.
        """

    async def review(self, review_id: str) -> StoredReview | None:
        """A review, without regard to who asks."""

    async def give_feedback(
        self, review_id: str, action: FeedbackAction, sentiment: Sentiment | None, origin: Origin
    ) -> FeedbackGiven | None:
        """Keep feedback, in the arm of its review; the same again changes nothing.

        `sentiment` goes with `override`. Raises NoPredictionError; `None` for no such review.
        """

    async def expose(self, trigger: Trigger, origin: Origin) -> bool:
        """Record an exposure of an assigned unit; false when it was known already."""

    async def erase(self, unit: bytes) -> int:
        """Delete a unit's texts and replace the unit everywhere; returns its number of reviews."""

    async def interrupt(self, older_than_seconds: float) -> int:
        """Mark reviews left `pending` by a process that died as failed; returns how many."""

    async def awaiting_feedback(self) -> dict[str, int]:
        """Predicted reviews without feedback, erased ones left out, by serving track."""

    async def size(self) -> Size:
        """How large the store is."""

    async def events_since(self, cursor: str = START, limit: int = 1_000) -> Events:
        """Up to `limit` rows that changed after `cursor`, in commit order.

        Raises ValueError for a cursor that no store of this kind made.
        """
