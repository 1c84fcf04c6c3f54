"""What app-frontend asks of app-service.

Enters: a visit and what the visitor sent. Leaves: wire types of `contracts.api`, or one of two
errors: unavailable (try again), or refused (with the problem's words). Used by the routes; tests
put another `Reviews` in its place.
"""

from __future__ import annotations

import logging
from typing import Any, Final, Literal, Protocol, TypeVar

import msgspec

from serinus.contracts import routing
from serinus.contracts.api import (
    Erasure,
    ExposureSubmission,
    Feedback,
    FeedbackSubmission,
    Problem,
    Review,
    ReviewSubmission,
    VersionInfo,
)
from serinus.services.app_frontend.identity import Visit
from serinus.services.chassis import context
from serinus.services.chassis.upstream import (
    VERSION_TIMEOUT,
    OutOfReachError,
    TookTooLongError,
    Upstream,
)

_LOG: Final = logging.getLogger("serinus.app_frontend.api")
_REVIEW: Final = msgspec.json.Decoder(Review)
_FEEDBACK: Final = msgspec.json.Decoder(Feedback)
_ERASURE: Final = msgspec.json.Decoder(Erasure)
_VERSION: Final = msgspec.json.Decoder(VersionInfo)
_PROBLEM: Final = msgspec.json.Decoder(Problem)
DEFAULT_RETRY_AFTER: Final = 2
T = TypeVar("T")


class UnavailableError(Exception):
    """app-service, or the model behind it, cannot answer now; `retry_after` is in seconds."""

    def __init__(self, reason: str, retry_after: int = DEFAULT_RETRY_AFTER) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class RefusedError(Exception):
    """app-service understood and said no; `status` is 4xx."""

    def __init__(self, status: int, problem: Problem) -> None:
        super().__init__(problem.detail or problem.title)
        self.status = status
        self.problem = problem


class Reviews(Protocol):
    """What keeps reviews. Each method raises UnavailableError or RefusedError."""

    async def submit(self, visit: Visit, submission: ReviewSubmission, key: str) -> Review:
        """Keep and predict; the same `key` and text again is the same review."""

    async def read(self, visit: Visit, review: str) -> Review:
        """A review of this visitor; 404 for any other."""

    async def give_feedback(
        self, visit: Visit, review: str, submission: FeedbackSubmission
    ) -> Feedback:
        """Confirm or override; idempotent."""

    async def expose(self, visit: Visit, trigger: routing.Trigger) -> None:
        """Record an exposure; the first of its kind wins."""

    async def erase(self, visit: Visit) -> Erasure:
        """Forget this visitor."""

    async def version(self) -> VersionInfo | None:
        """Who answers; `None` while nobody does."""


class AppService(Upstream):
    """app-service over HTTP; `timeout` is in seconds and covers a whole call.

    `caller` is `<app>/<track>` of this process.
    """

    def __init__(self, url: str, timeout: float, caller: str) -> None:  # set once for all
        super().__init__(url, timeout)
        self._caller = caller

    async def submit(self, visit: Visit, submission: ReviewSubmission, key: str) -> Review:
        """See `Reviews.submit`."""
        more = {routing.HEADER_IDEMPOTENCY_KEY: key}
        return _decoded(_REVIEW, await self._ask(visit, "POST", "/v1/reviews", submission, more))

    async def read(self, visit: Visit, review: str) -> Review:
        """See `Reviews.read`."""
        return _decoded(_REVIEW, await self._ask(visit, "GET", f"/v1/reviews/{review}"))

    async def give_feedback(
        self, visit: Visit, review: str, submission: FeedbackSubmission
    ) -> Feedback:
        """See `Reviews.give_feedback`."""
        path = f"/v1/reviews/{review}/feedback"
        return _decoded(_FEEDBACK, await self._ask(visit, "POST", path, submission))

    async def expose(self, visit: Visit, trigger: routing.Trigger) -> None:
        """See `Reviews.expose`."""
        await self._ask(visit, "POST", "/v1/exposures", ExposureSubmission(trigger))

    async def erase(self, visit: Visit) -> Erasure:
        """See `Reviews.erase`."""
        return _decoded(_ERASURE, await self._ask(visit, "DELETE", "/v1/visitors/me"))

    async def version(self) -> VersionInfo | None:
        """See `Reviews.version`; waits at most a second."""
        try:
            raw = await self._ask(None, "GET", "/version", within=VERSION_TIMEOUT)
            return _decoded(_VERSION, raw)
        except (UnavailableError, RefusedError):
            return None

    async def _ask(
        self,
        visit: Visit | None,
        method: Literal["GET", "POST", "DELETE"],
        path: str,
        content: Any = None,
        more: dict[str, str] | None = None,
        within: float | None = None,
    ) -> bytes:
        request = context.current()
        headers = request.outgoing(self._caller) | (more or {})
        if visit is not None:
            headers |= visit.headers()
        try:
            status, raw, answered = await self.call(method, path, headers, content, within)
        except TookTooLongError as error:
            raise UnavailableError("app-service took too long") from error
        except OutOfReachError as error:
            _LOG.warning("app-service is out of reach", extra={"error": str(error)})
            raise UnavailableError("app-service is out of reach") from error
        _remember_hops(request, answered.get(routing.HEADER_SERVED_BY))
        if status < 300:
            return raw
        problem = _problem(status, raw)
        if status >= 500 or status == 429:
            _LOG.warning("app-service cannot answer", extra={"status": status, "path": path})
            raise UnavailableError(problem.detail, _retry_after(answered.get("retry-after")))
        raise RefusedError(status, problem)


def _decoded(decoder: msgspec.json.Decoder[T], raw: bytes) -> T:
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        _LOG.warning("app-service's answer makes no sense", extra={"error": str(error)})
        raise UnavailableError("app-service's answer makes no sense") from error


def _remember_hops(request: context.RequestContext, header: str | None) -> None:
    """Several calls may answer one page; each hop is named once."""
    before = len(request.served_by)
    request.add_served_by(header)
    found = request.served_by[before:]
    del request.served_by[before:]
    request.served_by.extend(hop for hop in found if hop not in request.served_by)


def _problem(status: int, raw: bytes) -> Problem:
    try:
        return _PROBLEM.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # A proxy in between answers without problem details.
        return Problem(title="Error", status=status, detail=f"app-service answered {status}")


def _retry_after(header: str | None) -> int:
    return min(int(header), 300) if header and header.isdecimal() else DEFAULT_RETRY_AFTER
