"""A server that does as it is told, for clients of the services."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.test_utils import TestServer


class FakeUpstream:
    """Answers with `answer`, after `delay` has come; drops as many connections as `drop` says.

    `requests` are method, path, headers with lower-case names, and body.
    """

    def __init__(self) -> None:
        self.url = ""
        self.answer: Callable[[], web.Response] = web.Response
        self.delay: asyncio.Event | None = None
        self.drop = 0
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []

    def say(self, status: int, value: Any, **headers: str) -> None:
        """Answer with JSON; bytes are sent as they are."""
        body = value if isinstance(value, bytes) else msgspec.json.encode(value)
        sent = {name.replace("_", "-"): text for name, text in headers.items()}
        self.answer = lambda: web.Response(status=status, body=body, headers=sent)

    async def handle(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append((request.method, request.path, headers, await request.read()))
        if self.delay is not None:
            await self.delay.wait()
        if self.drop:
            self.drop -= 1
            assert request.transport is not None
            request.transport.abort()
        return self.answer()


@asynccontextmanager
async def running() -> AsyncIterator[FakeUpstream]:
    """One on a port of its own until the end of the block."""
    made = FakeUpstream()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.handle)
    async with TestServer(app, host="127.0.0.1") as server:
        made.url = str(server.make_url("/"))
        yield made
