"""Who is visiting and in which arm, read from one request's headers.

Enters: the headers of an ASGI scope and this process's track. Leaves: a `Visit`. Made by `layer`
for each request, used by all routes and by `api`, which passes it on.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from serinus.contracts import routing
from serinus.contracts.routing import Assignment, ClientClass

_USER: Final = re.compile(r"[0-9a-f]{32}")
_BOT: Final = re.compile(
    r"bot\b|bots\b|crawl|spider|slurp|preview|headless|lighthouse|monitor|uptime|scan|archiver"
    r"|facebookexternalhit|validator",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Visit:
    """One request's visitor.

    `user` is the id from the cookie, or a new one when `is_new`, which the answer must set.
    `enrolled` says that this request carried both cookies and drew nothing: only then may an
    exposure be recorded, so that crawlers, prefetches and the losers of parallel first requests
    stay out. `over_tls` is what the visitor's browser spoke to the gateway.
    """

    user: str
    is_new: bool
    assignment: Assignment
    drawn_now: bool
    enrolled: bool
    client_class: ClientClass
    over_tls: bool

    def headers(self) -> dict[str, str]:
        """What tells the next hop who is visiting."""
        headers = {
            routing.HEADER_USER: self.user,
            routing.HEADER_CLIENT_CLASS: self.client_class,
        }
        if assignment := str(self.assignment):
            headers[routing.HEADER_ASSIGNMENT] = assignment
        return headers

    def set_cookie(self) -> str:
        """The `set-cookie` value that gives the visitor their id for 30 days."""
        return self._cookie(self.user, routing.COOKIE_MAX_AGE)

    def delete_cookie(self) -> str:
        """The `set-cookie` value that takes the id away."""
        return self._cookie("", 0)

    def _cookie(self, value: str, max_age: int) -> str:
        secure = "; Secure" if self.over_tls else ""
        return (
            f"{routing.USER_COOKIE}={value}; Path=/; Max-Age={max_age}; HttpOnly; "
            f"SameSite=Lax{secure}"
        )


def read(headers: Iterable[tuple[bytes, bytes]], track: str) -> Visit:
    """The visit behind a request's headers (names in lower case)."""
    cookies: list[tuple[str, str]] = []
    single: dict[bytes, str] = {}
    for name, value in headers:
        text = value.decode("latin-1")
        if name == b"cookie":
            cookies.extend(_cookies(text))
        else:
            single[name] = text
    user = next((v for n, v in cookies if n == routing.USER_COOKIE and _USER.fullmatch(v)), None)
    drawn = Assignment.parse(single.get(b"x-assignment"))
    versions = [value for name, value in cookies if name == routing.VERSION_COOKIE]
    drawn_now = drawn.enrolment == "assigned"
    assignment = drawn if drawn_now else _of_cookies(versions, track)
    ahead = "prefetch" in single.get(b"sec-purpose", single.get(b"purpose", ""))
    return Visit(
        user=user or secrets.token_hex(16),
        is_new=user is None,
        assignment=assignment,
        drawn_now=drawn_now,
        enrolled=user is not None
        and not drawn_now
        and not ahead
        and assignment.enrolment == "assigned",
        client_class=_client_class(single),
        over_tls=single.get(b"x-forwarded-proto") == "https",
    )


def _cookies(header: str) -> Iterable[tuple[str, str]]:
    # By hand, since the standard parser drops duplicates, and the contract is about those too.
    for pair in header.split(";"):
        name, found, value = pair.partition("=")
        if found:
            yield name.strip(" \t"), value.strip(" \t")


def _of_cookies(values: list[str], track: str) -> Assignment:
    """The assignment of several `app-version` cookies: bare is forced, else the highest epoch."""
    parsed = [Assignment.parse(value) for value in values]
    if any(found.enrolment == "forced" for found in parsed):
        return Assignment.parse(track)
    mine = [found for found in parsed if found.enrolment == "assigned" and found.arm == track]
    return max(mine, key=lambda found: found.epoch or 0, default=Assignment.parse(None))


def _client_class(headers: dict[bytes, str]) -> ClientClass:
    agent = headers.get(b"user-agent", "")
    if _BOT.search(agent):
        return "bot"
    if agent.startswith("Mozilla/") or b"sec-fetch-mode" in headers:
        return "browser"
    return "api"
