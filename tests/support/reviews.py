"""An app-service that lives in memory, for tests of app-frontend."""

from __future__ import annotations

import asyncio
import secrets
from datetime import UTC, datetime

import msgspec

from serinus.contracts.api import (
    Erasure,
    Feedback,
    FeedbackSubmission,
    ModelInfo,
    Problem,
    Review,
    ReviewSubmission,
    VersionInfo,
)
from serinus.contracts.routing import Trigger
from serinus.services.app_frontend.api import RefusedError
from serinus.services.app_frontend.identity import Visit

MODEL = ModelInfo("reviews", "v2", "c" * 64)
NOW = datetime(2026, 11, 23, 21, 5, tzinfo=UTC)


class FakeReviews:
    """Reads `bad` as negative; raises `error` when one is set; remembers what it was asked."""

    def __init__(self, track: str = "canary") -> None:
        self.track = track
        self.error: Exception | None = None
        self.reviews: dict[str, tuple[str, Review]] = {}
        self.submissions: list[tuple[ReviewSubmission, str]] = []
        self.exposures: list[tuple[str, Trigger]] = []
        self.versions_asked = 0
        self.version_asked = asyncio.Event()
        self._keys: dict[tuple[str, str], str] = {}

    def _check(self) -> None:
        if self.error is not None:
            raise self.error

    async def submit(self, visit: Visit, submission: ReviewSubmission, key: str) -> Review:
        self._check()
        self.submissions.append((submission, key))
        if known := self._keys.get((visit.user, key)):
            return self.reviews[known][1]
        review = Review(
            id=secrets.token_hex(16),
            text=submission.text,
            status="ok",
            sentiment="negative" if "bad" in submission.text else "positive",
            confidence=0.874,
            model=MODEL,
            track=self.track,
            created_at=NOW,
            served_by=[],
        )
        self.reviews[review.id] = (visit.user, review)
        self._keys[visit.user, key] = review.id
        return review

    def change(self, review: str, **fields: object) -> None:
        """Change a kept review."""
        user, found = self.reviews[review]
        self.reviews[review] = user, msgspec.structs.replace(found, **fields)

    async def read(self, visit: Visit, review: str) -> Review:
        self._check()
        user, found = self.reviews.get(review, ("", None))
        if found is None or user != visit.user:
            raise RefusedError(404, Problem("Not found", 404))
        return found

    async def give_feedback(
        self, visit: Visit, review: str, submission: FeedbackSubmission
    ) -> Feedback:
        found = await self.read(visit, review)
        sentiment = submission.sentiment or found.sentiment
        assert sentiment is not None
        feedback = Feedback(submission.action, sentiment, NOW)
        self.change(review, feedback=feedback)
        return feedback

    async def expose(self, visit: Visit, trigger: Trigger) -> None:
        self._check()
        self.exposures.append((visit.user, trigger))

    async def erase(self, visit: Visit) -> Erasure:
        self._check()
        mine = [key for key, (user, _) in self.reviews.items() if user == visit.user]
        for key in mine:
            del self.reviews[key]
        return Erasure(len(mine))

    async def version(self) -> VersionInfo | None:
        self.versions_asked += 1
        self.version_asked.set()
        if self.error is not None:
            return None
        model = VersionInfo("model-service", "0.3.0", self.track, MODEL)
        return VersionInfo("app-service", "0.2.0", self.track, MODEL, model)
