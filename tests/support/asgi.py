"""Asks an ASGI application without a network: one request, one answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec


@dataclass(frozen=True)
class Answer:
    """What came back; `headers` has lower-case names."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return msgspec.json.decode(self.body)


async def ask(
    app: Any,
    method: str,
    path: str,
    *,
    json: Any = None,
    body: bytes | Sequence[bytes] = b"",
    gone: bool = False,
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
) -> Answer:
    """Send one request; `json` is encoded and sent as application/json.

    A body may come in several pieces; `gone` is a client who leaves before the last one.
    """
    pairs = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
    if json is not None:
        body = msgspec.json.encode(json)
        pairs.append(("content-type", "application/json"))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    pieces = [body] if isinstance(body, bytes) else list(body)
    waiting: list[dict[str, Any]] = [
        {"type": "http.request", "body": piece, "more_body": gone or at < len(pieces)}
        for at, piece in enumerate(pieces, start=1)
    ]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start = sent[0]
    return Answer(
        start["status"],
        {name.decode().lower(): value.decode("latin-1") for name, value in start["headers"]},
        b"".join(message.get("body", b"") for message in sent[1:]),
    )
