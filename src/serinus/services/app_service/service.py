"""What the routes of app-service work with, in one value.

Enters: the parts that `app.build` made. Leaves: `Service`, found on each request by `of`. Used by
every route.
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from serinus.services.app_service.caller import Caller
from serinus.services.app_service.identity import Identity
from serinus.services.app_service.metrics import ServiceMetrics
from serinus.services.app_service.predictor import Predictor
from serinus.services.app_service.settings import Settings
from serinus.services.app_service.store.base import Store, StoredReview
from serinus.services.chassis.http import ProblemError


@dataclass(frozen=True, slots=True)
class Service:
    """The parts of a running app-service; `name` is `<app>/<track>`."""

    settings: Settings
    identity: Identity
    store: Store
    predictor: Predictor
    metrics: ServiceMetrics

    @property
    def name(self) -> str:
        """What it calls itself to the next hop."""
        return f"{self.settings.app}/{self.settings.track}"

    def caller(self, request: Request) -> Caller:
        """Who is behind `request`; raises ProblemError for malformed identification."""
        return Caller(request, self.identity, self.settings.track)

    async def owned_review(self, request: Request, caller: Caller) -> StoredReview:
        """The review that the path names, if `caller` wrote it.

        Raises ProblemError: 401 without credentials, 404 for someone else's as for none at all.
        """
        caller.require_credentials()
        review_id: str = request.path_params["review_id"]
        review = await self.store.review(review_id) if self.identity.is_user(review_id) else None
        if review is None or not caller.owns(review):
            raise ProblemError(404, "You have no review with this id.")
        return review


def of(request: Request) -> Service:
    """The service that answers `request`."""
    service: Service = request.app.state.service
    return service
