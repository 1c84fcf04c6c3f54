"""HTTP/1.1 byte for byte: a client for one request, and a server that echoes what it sees.

Enters and leaves: bytes on sockets, and JSON as a program. Tests of the local Envoy import it; pods
of a cluster run its text, so it needs the standard library alone:

    python -c TEXT serve APP TRACK    echoes on port 8080, answers 200 to everything on port 9090
    python -c TEXT ask                requests as JSON on stdin, their replies as JSON on stdout
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import astuple, dataclass

Headers = tuple[tuple[str, str], ...]
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
LONGEST = 2**20


@dataclass(frozen=True)
class Reply:
    """An answer; `headers` keeps order and repetition, names in lower case."""

    status: int
    headers: Headers
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
    headers: Headers

    def value(self, name: str) -> str | None:
        found = [value for key, value in self.headers if key == name]
        return ", ".join(found) if found else None


def echo(app: str, track: str, tell: Callable[[Seen], object] = lambda _: None) -> Answer:
    """Answers 200 with what was seen, as JSON, and a cookie of its own; `tell` hears it too."""

    def answer(line: str, headers: Headers) -> bytes:
        tell(Seen(app, track, line, headers))
        seen = {"app": app, "track": track, "line": line, "headers": headers}
        return json.dumps(seen).encode()

    return _answering(answer, "set-cookie: own=1\r\n")


def _answering(body: Callable[[str, Headers], bytes], more: str = "") -> Answer:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                line, headers = await _head(reader)
                text = body(line, headers)
                head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(text)}\r\n{more}\r\n"
                writer.write(head.encode() + (b"" if line.startswith("HEAD") else text))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    return answer


async def send(
    to: tuple[str, int],
    method: str,
    path: str,
    host: str,
    headers: Iterable[tuple[str, str]] = (),
    *,
    client: str = "",
) -> Reply:
    """One request on a connection of its own, byte for byte; `client` is the address it is from."""
    local = (client, 0) if client else None
    reader, writer = await asyncio.open_connection(*to, limit=LONGEST, local_addr=local)
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
        return Reply(int(status.split()[1]), found, body)
    finally:
        writer.close()


async def _head(reader: asyncio.StreamReader) -> tuple[str, Headers]:
    text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = text.split("\r\n")[:-2]
    pairs = (line.partition(":") for line in lines)
    return first, tuple((name.lower(), value.strip()) for name, _, value in pairs)


def replies(text: str) -> list[Reply]:
    """What `ask` printed."""
    return [
        Reply(status, tuple(map(tuple, headers)), body.encode("latin-1"))
        for status, headers, body in json.loads(text)
    ]


async def _ask() -> None:
    found = []
    for method, path, host, headers in json.load(sys.stdin):
        reply = await send((host, 80), method, path, host, headers)
        status, names, body = astuple(reply)
        found.append((status, names, body.decode("latin-1")))
    print(json.dumps(found))


async def _serve(app: str, track: str) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    for port, answer in ((8080, echo(app, track)), (9090, _answering(lambda *_: b""))):
        await asyncio.start_server(answer, "0.0.0.0", port, limit=LONGEST)
    await ended.wait()


if __name__ == "__main__":
    verb, *words = sys.argv[1:]
    asyncio.run({"serve": _serve, "ask": _ask}[verb](*words))
