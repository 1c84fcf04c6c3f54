"""Liveness, readiness and metrics on the second port.

Enters: named readiness checks and the telemetry. Leaves: an ASGI application for `/livez`,
`/readyz` (which names what is missing) and `/metrics`. Served by `server.run`, never routed by
the gateway.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable

import msgspec

from serinus.services.chassis.telemetry import Receive, Scope, Send, Telemetry

Check = Callable[[], str | Awaitable[str | None] | None]
"""Returns `None` when fine, otherwise what is missing, in words."""


class Health:
    """The readiness of one process. A process is not ready before `started` and while stopping."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}
        self._to_start: set[str] = set()
        self.started = False
        self.stopping = False

    def add(self, name: str, check: Check, *, to_start: bool = False) -> None:
        """Make readiness depend on `check`, reported under `name`.

        With `to_start` only until it was fine once: for what all replicas share, whose outage would
        take every one of them out of service, where each can still say what is wrong.
        """
        self._checks[name] = check
        if to_start:
            self._to_start.add(name)

    async def missing(self) -> dict[str, str]:
        """What keeps the process from being ready, by name; empty when ready."""
        if self.stopping:
            return {"process": "stopping"}
        missing = {}
        for name, check in list(self._checks.items()):
            found = check()
            reason = await found if inspect.isawaitable(found) else found
            if reason is not None:
                missing[name] = reason
            elif name in self._to_start:
                del self._checks[name]
        if not self.started and not missing:
            missing["process"] = "starting"
        return missing


def application(
    health: Health, telemetry: Telemetry
) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """The ASGI application of the second port."""

    async def handle(scope: Scope, _: Receive, send: Send) -> None:
        status, kind, body = 404, b"application/json", b'{"status":"not found"}'
        if scope["method"] not in ("GET", "HEAD"):
            status, body = 405, b'{"status":"method not allowed"}'
        elif scope["path"] == "/metrics":
            status, kind = 200, b"text/plain; version=0.0.4; charset=utf-8"
            body = await telemetry.scrape()
        elif scope["path"] == "/livez":
            status, body = 200, b'{"status":"alive"}'
        elif scope["path"] == "/readyz":
            missing = await health.missing()
            status = 503 if missing else 200
            body = msgspec.json.encode(
                {"status": "unavailable" if missing else "ready", "missing": missing}
            )
        headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send(
            {"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body}
        )

    return handle
