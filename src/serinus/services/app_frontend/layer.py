"""The ASGI layer around all routes: reads the visit, and completes every answer's headers.

Enters: ASGI requests. Leaves: the same with `state.visit` set, and answers that carry the
visitor's cookie and the security headers. Put around Starlette by `app`.
"""

from __future__ import annotations

from typing import Final

from serinus.contracts import metrics
from serinus.services.app_frontend import identity
from serinus.services.chassis import context
from serinus.services.chassis.telemetry import (
    ASGIApp,
    Message,
    Receive,
    Scope,
    Send,
    Telemetry,
)

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# `no-referrer` would turn a form's own Origin into `null`.
_SECURITY: Final = (
    (b"content-security-policy", CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
_NO_STORE: Final = (b"cache-control", b"private, no-store")
ASSETS: Final = "/assets/"


def around(app: ASGIApp, telemetry: Telemetry, track: str) -> ASGIApp:
    """Wrap `app`; counts each draw of the gateway that arrives."""
    assignments = telemetry.counter(metrics.ASSIGNMENTS)

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        visit = identity.read(scope["headers"], track)
        request = context.current()
        request.assignment = visit.assignment
        request.enrolment = visit.assignment.enrolment
        if visit.drawn_now:
            assignments.labels(str(visit.assignment.epoch), str(visit.assignment.weight)).inc()
        scope.setdefault("state", {})["visit"] = visit
        # Assets are fetched without a draw and may be shared by caches: no cookie on them.
        is_page = not scope["path"].startswith(ASSETS)
        started = False

        async def answer(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = [*message.get("headers", ()), *_SECURITY]
                names = {name for name, _ in headers}
                if b"cache-control" not in names:
                    headers.append(_NO_STORE)
                if is_page and visit.is_new and b"set-cookie" not in names:
                    headers.append((b"set-cookie", visit.set_cookie().encode()))
                message["headers"] = headers
            await send(message)

        try:
            await app(scope, receive, answer)
        except Exception:
            # Starlette raises again what its handler has logged and answered with a page.
            if not started:
                raise

    return handle
