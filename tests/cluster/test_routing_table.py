"""The routing table, decided by the Envoy that istiod configures.

The application answers instead of an echo, so what is judged is what answers show: the status of a
refusal, the application and track that served (`x-served-by`), and the cookie of a draw.
"""

from __future__ import annotations

import json
import re
from functools import cache

import pytest

from tests.cluster.support import Release, address
from tests.routing.table import Row, load
from tests.support import proxy

TABLE = load()
OUTSIDE = [row for row in TABLE.rows if not row.source]
INSIDE = [row for row in TABLE.rows if row.source]
DRAWN = re.compile(rf"(stable|canary)\.{TABLE.epoch}\.{TABLE.weight}")

ASK = """
import json, socket, sys
found = []
for method, path, host, headers in json.load(sys.stdin):
    with socket.create_connection((host, 80), timeout=10) as link:
        lines = [f"{method} {path} HTTP/1.1", f"host: {host}", "connection: close"]
        lines += [f"{name}: {value}" for name, value in headers]
        if method != "GET":
            lines.append("content-length: 0")
        link.sendall("\\r\\n".join([*lines, "", ""]).encode())
        answer = b""
        while chunk := link.recv(65536):
            answer += chunk
    head = answer.partition(b"\\r\\n\\r\\n")[0].decode("latin-1").split("\\r\\n")
    served = [line[13:].strip() for line in head if line.lower().startswith("x-served-by:")]
    found.append([int(head[0].split()[1]), ",".join(served)])
print(json.dumps(found))
"""


@pytest.mark.parametrize("row", OUTSIDE, ids=lambda row: row.name)
async def test_the_gateway_decides_as_the_table_says(release: Release, row: Row) -> None:
    reply = await proxy.send(
        proxy.SocketAddress(*address()), row.method, row.path, row.host, row.headers
    )
    served = ", ".join(reply.values("x-served-by")).split(",")[0].strip()
    cookies = [c for c in reply.values("set-cookie") if c.startswith("app-version=")]
    if row.status != 200:
        assert (reply.status, served, cookies) == (row.cluster_status, "", [])
        return
    assert served, f"the gateway itself answered {reply.status}"
    app, _, track = served.partition("/")
    assert app == row.app
    if row.assigns:
        (cookie,) = cookies
        value, *attributes = cookie.removeprefix("app-version=").split("; ")
        drawn = DRAWN.fullmatch(value)
        assert drawn, cookie
        assert drawn[1] == track
        assert attributes == ["Path=/", "Max-Age=2592000", "HttpOnly", "SameSite=Lax"]
    else:
        assert (track, cookies) == (row.track, [])


@cache
def asked_inside(namespace: str) -> dict[str, tuple[int, str]]:
    release = Release(namespace)
    found: dict[str, tuple[int, str]] = {}
    for source in sorted({row.source for row in INSIDE}):
        rows = [row for row in INSIDE if row.source == source]
        requests = [(row.method, row.path, row.host, row.headers) for row in rows]
        target = f"deployment/{source.replace('/', '-')}"
        answers = json.loads(release.python(target, ASK, stdin=json.dumps(requests)))
        found |= {row.name: tuple(answer) for row, answer in zip(rows, answers, strict=True)}
    return found


@pytest.mark.parametrize("row", INSIDE, ids=lambda row: row.name)
def test_a_sidecar_decides_as_the_table_says(release: Release, row: Row) -> None:
    status, served = asked_inside(release.namespace)[row.name]
    if row.status != 200:
        assert (status, served) == (row.cluster_status, "")
        return
    assert served.split(",")[0].strip() == f"{row.app}/{row.track}", f"answered {status}"
