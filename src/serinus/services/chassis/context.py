"""What is known of the request being answered, carried by a context variable.

Enters: the request's headers (an ASGI scope). Leaves: a `RequestContext` that handlers read and
complete, log lines quote, and outgoing calls continue. Made by `telemetry`, read by all services.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final

from serinus.contracts import routing

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
# An app of ours: whatever else a client claims would become a label and a log line.
_CALLER = re.compile(f"({'|'.join(routing.APPS)})/[a-z][a-z0-9-]{{0,31}}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestContext:
    """One request: identity for logs and traces, its assignment, and the hops that served it.

    `route` is the template for metrics; Starlette's is taken where a handler sets none.
    `enrolment` starts from the header `x-assignment`; app-frontend, which reads cookies, sets it.
    `served_by` starts empty and collects what upstream answered in `x-served-by`.
    """

    __slots__ = (
        "assignment", "caller", "enrolment", "flags", "request_id", "route", "served_by",
        "span_id", "trace_id",
    )  # fmt: skip

    def __init__(self, headers: dict[bytes, bytes]) -> None:
        fresh = os.urandom(40).hex()  # one system call for the three identifiers
        request_id = headers.get(b"x-request-id", b"").decode("latin-1")
        # Envoy makes one for every request; a hostile one would end up in logs, so it is checked.
        self.request_id = request_id if _REQUEST_ID.fullmatch(request_id) else fresh[:32]
        parent = _TRACEPARENT.fullmatch(headers.get(b"traceparent", b"").decode("latin-1"))
        self.trace_id = parent[1] if parent else fresh[32:64]
        self.flags = parent[3] if parent else "00"
        self.span_id = fresh[64:]
        caller = headers.get(b"x-caller", b"").decode("latin-1")
        self.caller = caller if _CALLER.fullmatch(caller) else ""
        assignment = headers.get(b"x-assignment")
        self.assignment = routing.Assignment.parse(
            assignment.decode("latin-1") if assignment else None
        )
        self.enrolment: routing.Enrolment = self.assignment.enrolment
        self.route: str | None = None
        self.served_by: list[str] = []

    @property
    def traceparent(self) -> str:
        """The W3C header for calls made while answering this request."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"

    def outgoing(self, caller: str) -> dict[str, str]:
        """Headers that a call to the next hop must carry; `caller` is `<app>/<track>`."""
        return {
            routing.HEADER_REQUEST_ID: self.request_id,
            routing.HEADER_TRACEPARENT: self.traceparent,
            routing.HEADER_CALLER: caller,
        }

    def add_served_by(self, header: str | None) -> None:
        """Take over the hops that an upstream's `x-served-by` names."""
        if header:
            self.served_by.extend(part.strip() for part in header.split(",") if part.strip())


CURRENT: Final[ContextVar[RequestContext | None]] = ContextVar("serinus_request", default=None)


def current() -> RequestContext:
    """The context of the request being answered; an empty one outside of any request."""
    found = CURRENT.get()
    return found if found is not None else RequestContext({})


def header_map(scope: Mapping[str, Any]) -> dict[bytes, bytes]:
    """The scope's headers, lower-case names to the last value of each."""
    return dict(scope["headers"])
