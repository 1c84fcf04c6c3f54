"""A canary that answers 503 keeps its visitors: the draw stands, nobody is shed to stable."""

from __future__ import annotations

import asyncio
from pathlib import Path

from serinus.mesh import envoy
from tests.routing.test_rollout import topology
from tests.support import proxy, wire

HOST = "app-frontend.localhost"


async def _sick(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n")
    await writer.drain()
    writer.close()


async def test_a_503_of_the_canary_carries_its_draw_and_is_not_retried_on_stable(
    tmp_path: Path,
) -> None:
    rules = topology(7, 100, enabled=True, routed=True)
    placement = proxy.place(tmp_path, proxy.workloads(("app-frontend",)), ())
    canary = next(item for item in placement.endpoints if item.labels["version"] == "canary")
    server = await asyncio.start_server(_sick, canary.address, 8080, reuse_address=True)
    async with server, proxy.running(tmp_path, envoy.compile(rules, placement)):
        drawn = await wire.send(placement.gateway[0], "GET", "/", HOST)
        back = await wire.send(
            placement.gateway[0], "GET", "/", HOST, [("cookie", "app-version=canary.7.100")]
        )
    assert drawn.status == back.status == 503
    (cookie,) = drawn.values("set-cookie")
    assert cookie.startswith("app-version=canary.7.100;")
    assert back.values("set-cookie") == []


async def test_a_canary_without_pods_still_assigns(tmp_path: Path) -> None:
    rules = topology(7, 100, enabled=True, routed=True)
    placement = proxy.place(tmp_path, proxy.workloads(("app-frontend",))[:1], ())
    async with proxy.running(tmp_path, envoy.compile(rules, placement)):
        drawn = await wire.send(placement.gateway[0], "GET", "/", HOST)
    assert drawn.status == 503
    assert drawn.values("set-cookie")[0].startswith("app-version=canary.7.100;")
