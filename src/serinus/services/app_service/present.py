"""Turns a stored review into what its writer sees.

Enters: a stored review. Leaves: the wire type `Review`. Used by the routes.
"""

from __future__ import annotations

from typing import Final

from serinus.contracts.api import ModelInfo, Review
from serinus.contracts.routing import APP_FRONTEND, APP_SERVICE, MODEL_SERVICE
from serinus.services.app_service.store.base import StoredReview
from serinus.services.app_service.store.rows import feedback_in_force

NO_STORE: Final = {"cache-control": "private, no-store"}


def present(review: StoredReview, token: str | None = None) -> Review:
    """The review for its writer; `token` only in the answer to its submission."""
    model = None
    if review.model_name and review.model_version and review.model_digest:
        model = ModelInfo(review.model_name, review.model_version, review.model_digest)
    hops = (
        (APP_FRONTEND, review.frontend_track),
        (APP_SERVICE, review.service_track),
        (MODEL_SERVICE, review.model_track),
    )
    return Review(
        id=review.id,
        text=review.text,
        status=review.status,
        sentiment=review.label,
        confidence=review.confidence,
        model=model,
        track=review.service_track,
        created_at=review.recorded_at,
        served_by=[f"{app}/{track}" for app, track in hops if track],
        failure=review.failure,
        feedback=feedback_in_force(review),
        feedback_token=token,
    )
