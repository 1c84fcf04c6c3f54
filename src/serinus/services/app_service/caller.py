"""Who is calling, read from the headers of one request.

Enters: a request inside the mesh (`x-user`, `x-assignment`, `x-caller`, `x-client-class`) or from
a direct API client (a bearer token). Leaves: a `Caller` with its unit and origin. Used by the
routes.
"""

from __future__ import annotations

import hmac
import re
import secrets
import time
from typing import Final, cast

from starlette.requests import Request

from serinus.contracts import routing
from serinus.services.app_service.identity import Identity
from serinus.services.app_service.store.base import Origin, StoredReview
from serinus.services.chassis.context import RequestContext, current
from serinus.services.chassis.http import ProblemError

_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_CLASSES: Final = ("browser", "bot", "api")
MIN_ANONYMOUS_KEY: Final = 16
"""Characters; callers without `x-user` share one space of idempotency keys."""


class Caller:
    """The visitor or API client behind a request; `user` is the raw id, for the next hop only."""

    __slots__ = ("_identity", "_review_of_token", "context", "idempotency_key", "origin", "user")

    def __init__(self, request: Request, identity: Identity, track: str) -> None:
        headers = request.headers
        self.context: RequestContext = current()
        self._identity = identity
        self.user = headers.get(routing.HEADER_USER)
        if self.user is not None and not identity.is_user(self.user):
            raise ProblemError(400, "The header x-user must be 32 lower-case hexadecimal digits.")
        self.idempotency_key = _idempotency_key(
            headers.get(routing.HEADER_IDEMPOTENCY_KEY), anonymous=self.user is None
        )
        self._review_of_token = _token_review(headers.get("authorization"), identity)
        app, _, caller_track = self.context.caller.partition("/")
        assignment = self.context.assignment
        if assignment.enrolment == "none":
            # A direct API client chooses its track by this header, where a browser has cookies.
            named = routing.Assignment.parse(headers.get(routing.HEADER_FORCED_TRACK))
            if named.enrolment == "forced":
                assignment = named
                self.context.enrolment = "forced"
        client_class = headers.get(routing.HEADER_CLIENT_CLASS)
        self.origin = Origin(
            unit=identity.unit(self.user)
            if self.user is not None
            else identity.anonymous_unit(self.idempotency_key),
            assignment=assignment,
            client_class=cast("routing.ClientClass", client_class)
            if client_class in _CLASSES
            else "api",
            frontend_track=caller_track if app == routing.APP_FRONTEND else None,
            service_track=track,
        )

    @property
    def token_review(self) -> str | None:
        """The id of the review that a valid bearer token opens."""
        return self._review_of_token

    def require_user(self) -> None:
        """Raise 401 without `x-user`."""
        if self.user is None:
            raise not_authenticated("This needs the header x-user.")

    def require_credentials(self) -> None:
        """Raise 401 when neither `x-user` nor a token of ours came along."""
        if self.user is None and self._review_of_token is None:
            raise not_authenticated("Send the review's feedback token as a bearer token.")

    def owns(self, review: StoredReview) -> bool:
        """Whether this caller wrote `review`; nobody owns an erased one."""
        if review.erased:
            return False
        if self._review_of_token == review.id:
            return True
        return self.user is not None and hmac.compare_digest(self.origin.unit, review.unit)

    def new_review_id(self) -> str:
        """A fresh id: 32 hexadecimal digits, 80 bits of them random.

        It starts with the time, so that new rows are neighbours in the store's index.
        """
        return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def not_authenticated(detail: str) -> ProblemError:
    """A problem of 401 that says how to authenticate."""
    return ProblemError(401, detail, headers={"www-authenticate": 'Bearer realm="feedback"'})


def _idempotency_key(value: str | None, *, anonymous: bool) -> str | None:
    if value is None:
        return None
    if not _KEY.fullmatch(value):
        raise ProblemError(400, "idempotency-key must be 1 to 200 visible ASCII characters.")
    if anonymous and len(value) < MIN_ANONYMOUS_KEY:
        raise ProblemError(
            400,
            f"idempotency-key needs at least {MIN_ANONYMOUS_KEY} characters: choose it at random.",
        )
    return value


def _token_review(authorization: str | None, identity: Identity) -> str | None:
    if authorization is None:
        return None
    scheme, _, token = authorization.partition(" ")
    review = identity.review_of(token.strip()) if scheme.lower() == "bearer" else None
    if review is None:
        raise not_authenticated("The bearer token isn't one of ours.")
    return review
