"""The routing contract in names: tracks, cookies, headers, and the assignment they carry.

Enters: nothing. Leaves: constants and the parsing of one assignment. Used by the services, the
local run, the simulated visitors and the tests. The chart writes the same names
(`charts/serinus/templates/mesh`); docs/architecture.md explains them.
"""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple, Self

STABLE: Final = "stable"
CANARY: Final = "canary"

APP_FRONTEND: Final = "app-frontend"
APP_SERVICE: Final = "app-service"
MODEL_SERVICE: Final = "model-service"
APPS: Final = (APP_FRONTEND, APP_SERVICE, MODEL_SERVICE)

VERSION_COOKIE: Final = "app-version"
"""`<track>.<epoch>.<weight>` when drawn; the bare track when forced by a tester."""
USER_COOKIE: Final = "serinus-user"
"""The visitor's random id: 32 lower-case hexadecimal digits."""
COOKIE_MAX_AGE: Final = 2_592_000
"""Both cookies live 30 days, in seconds, and are never renewed."""

HEADER_FORCED_TRACK: Final = "x-app-version"
"""Names a track; honoured on the API's host only."""
HEADER_ASSIGNMENT: Final = "x-assignment"
"""From the gateway on the request that draws, from app-frontend inside: see `Assignment`."""
HEADER_USER: Final = "x-user"
"""The visitor's id inside the mesh; the gateway strips it from what comes in."""
HEADER_CALLER: Final = "x-caller"
"""`<app>/<track>` of the calling hop; a differing track makes the request a mixed one."""
HEADER_SERVED_BY: Final = "x-served-by"
"""On responses: `<app>/<track>` of every hop that served it, nearest first, joined by `, `."""
HEADER_CLIENT_CLASS: Final = "x-client-class"
"""`browser`, `bot` or `api`: told by app-frontend, `api` where absent."""
HEADER_REQUEST_ID: Final = "x-request-id"
HEADER_TRACEPARENT: Final = "traceparent"
HEADER_IDEMPOTENCY_KEY: Final = "idempotency-key"

Enrolment = Literal["assigned", "forced", "none"]
ClientClass = Literal["browser", "bot", "api"]
Trigger = Literal["page", "result"]

_DRAWN = re.compile(r"([a-z][a-z0-9-]{0,31})\.([0-9]{1,9})\.([0-9]{1,3})")
_TRACK = re.compile(r"[a-z][a-z0-9-]{0,31}")


class Assignment(NamedTuple):
    """What is known of a request's draw.

    On the wire `x-assignment` is `<track>.<epoch>.<weight>` (drawn), the bare track (forced), or
    absent (`none`). `weight` is the canary's weight, in percent, when the visitor was drawn.
    """

    arm: str | None
    epoch: int | None
    weight: int | None
    enrolment: Enrolment

    @classmethod
    def parse(cls, value: str | None) -> Self:
        """Read a header or cookie value; whatever is malformed is an assignment of `none`."""
        if value and (drawn := _DRAWN.fullmatch(value)) and int(drawn[3]) <= 100:
            return cls(drawn[1], int(drawn[2]), int(drawn[3]), "assigned")
        if value and _TRACK.fullmatch(value):
            return cls(value, None, None, "forced")
        return cls(None, None, None, "none")

    def __str__(self) -> str:
        """The value for the header `x-assignment`; empty for `none`."""
        if self.enrolment == "assigned":
            return f"{self.arm}.{self.epoch}.{self.weight}"
        return self.arm or ""
