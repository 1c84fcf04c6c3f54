"""Calls over real HTTP: what is sent, what comes back, and each way to get no answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from tests.support.upstream import FakeUpstream, running

from serinus.services.chassis.upstream import OutOfReachError, TookTooLongError, Upstream


@pytest.fixture
async def server() -> AsyncIterator[FakeUpstream]:
    async with running() as made:
        yield made


async def test_headers_and_content_go_out_and_an_answer_comes_back(server: FakeUpstream) -> None:
    server.answer = lambda: web.Response(status=418, text="tea", headers={"X-Served-By": "pot/a"})
    sent = {"x-caller": "cup/a"}
    async with Upstream(server.url, 5.0) as upstream:
        status, body, headers = await upstream.call("POST", "/tea", sent, {"leaves": 2})
        await upstream.call("GET", "/tea", sent)
    assert (status, body, headers["x-served-by"]) == (418, b"tea", "pot/a")
    (posted, asked) = server.requests
    assert posted[:2] == ("POST", "/tea")
    assert (posted[2]["x-caller"], posted[2]["content-type"]) == ("cup/a", "application/json")
    assert posted[3] == b'{"leaves":2}'
    assert "content-type" not in asked[2]
    assert sent == {"x-caller": "cup/a"}


async def test_neither_redirects_nor_cookies_are_followed(server: FakeUpstream) -> None:
    server.answer = lambda: web.Response(
        status=302, headers={"location": "/elsewhere", "set-cookie": "a=b"}
    )
    async with Upstream(server.url, 5.0) as upstream:
        assert (await upstream.call("GET", "/", {})).status == 302
        await upstream.call("GET", "/", {})
    assert [path for _, path, _, _ in server.requests] == ["/", "/"]
    assert "cookie" not in server.requests[1][2]


async def test_a_call_has_its_own_time_or_that_of_all(server: FakeUpstream) -> None:
    server.delay = asyncio.Event()
    async with Upstream(server.url, 5.0) as upstream:
        with pytest.raises(TookTooLongError):
            await upstream.call("GET", "/", {}, within=0.05)
    async with Upstream(server.url, 0.05) as upstream:
        with pytest.raises(TookTooLongError):
            await upstream.call("GET", "/", {})
    server.delay.set()


async def test_a_dropped_connection_is_tried_once_more(server: FakeUpstream) -> None:
    async with Upstream(server.url, 5.0) as upstream:
        server.drop = 1
        assert (await upstream.call("POST", "/", {})).status == 200
        server.drop = 2
        with pytest.raises(OutOfReachError):
            await upstream.call("POST", "/", {})
    assert len(server.requests) == 4


async def test_nobody_there_is_out_of_reach(unused_tcp_port: int) -> None:
    async with Upstream(f"http://127.0.0.1:{unused_tcp_port}", 5.0) as upstream:
        with pytest.raises(OutOfReachError, match="ClientConnectorError"):
            await upstream.call("GET", "/", {})
