"""What app-service counts, beside what the chassis counts of every request.

Enters: outcomes from the routes; the store, asked at each scrape. Leaves: the series declared in
`contracts.metrics`. Built by `app`, used by the routes.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final, get_args

from prometheus_client import Gauge

from serinus.contracts import metrics
from serinus.contracts.api import FeedbackAction, Sentiment
from serinus.contracts.routing import CANARY, STABLE, Enrolment, Trigger
from serinus.services.app_service.store.base import FeedbackGiven, Store, StoreUnavailableError
from serinus.services.chassis.telemetry import Telemetry

SCRAPE_SECONDS: Final = 2.0

_LOG = logging.getLogger("serinus.metrics")


class ServiceMetrics:
    """The counters and gauges of one process; known labels start at 0, so that rates see them."""

    def __init__(self, telemetry: Telemetry, store: Store) -> None:
        self._store = store
        self._reviews = telemetry.counter(metrics.REVIEWS)
        self._feedback = telemetry.counter(metrics.FEEDBACK)
        self._overrides = telemetry.counter(metrics.OVERRIDES)
        self._exposures = telemetry.counter(metrics.EXPOSURES)
        self._awaiting = telemetry.gauge(metrics.AWAITING_FEEDBACK)
        self._bytes = telemetry.gauge(metrics.STORE_BYTES)
        # A gauge without labels would export 0 where the capacity isn't known.
        self._telemetry = telemetry
        self._capacity: Gauge | None = None
        self._tracks = {STABLE, CANARY}
        for assignment in get_args(Enrolment):
            for status in ("ok", "failed"):
                self._reviews.labels(status, assignment)
        for track in self._tracks:
            self._overrides.labels(track)
            for action in get_args(FeedbackAction):
                for sentiment in get_args(Sentiment):
                    self._feedback.labels(action, sentiment, track)
            for trigger in get_args(Trigger):
                self._exposures.labels(trigger, track)
        telemetry.on_scrape(self.refresh)

    def review(self, status: str, assignment: Enrolment) -> None:
        """A review whose prediction ended."""
        self._reviews.labels(status, assignment).inc()

    def feedback(self, given: FeedbackGiven) -> None:
        """Feedback that changed something."""
        feedback = given.feedback
        self._feedback.labels(feedback.action, feedback.sentiment, given.review_track).inc()
        if given.first_override:
            self._overrides.labels(given.review_track).inc()

    def exposure(self, trigger: Trigger, arm: str) -> None:
        """An exposure recorded for the first time."""
        self._exposures.labels(trigger, arm).inc()

    async def refresh(self) -> None:
        """Read the gauges from the store; keeps the last values while it doesn't answer."""
        try:
            # A scrape that waits for a dead database would lose every other series too.
            async with asyncio.timeout(SCRAPE_SECONDS):
                awaiting = await self._store.awaiting_feedback()
                size = await self._store.size()
        except (StoreUnavailableError, TimeoutError) as error:
            _LOG.warning("the store's gauges are out of date", extra={"reason": repr(error)})
            return
        self._tracks |= awaiting.keys()
        for track in self._tracks:
            self._awaiting.labels(track).set(awaiting.get(track, 0))
        self._bytes.set(size.used)
        if size.capacity is not None:
            self._set_capacity(size.capacity)

    def _set_capacity(self, capacity: int) -> None:
        if self._capacity is None:
            self._capacity = self._telemetry.gauge(metrics.STORE_CAPACITY_BYTES)
        self._capacity.set(capacity)
