"""The routing table, decided by the Envoys that istiod configures, as by the local one.

Pods that echo answer in place of the application, so each row is judged whole: the status, who
served, what became of the headers on the way, and the cookies on the way back.
"""

from __future__ import annotations

import time

import pytest

from serinus.mesh.topology import Topology
from tests.cluster.echo import Echo
from tests.cluster.support import address
from tests.routing.decide import TABLE, answered, explained
from tests.routing.table import Row
from tests.support import wire

OUTSIDE = [row for row in TABLE.rows if not row.source]
INSIDE = [row for row in TABLE.rows if row.source]


@pytest.mark.parametrize("row", OUTSIDE, ids=lambda row: row.name)
async def test_the_gateway_decides_as_the_table_says(echo: Echo, row: Row) -> None:
    reply = await wire.send(address(), row.method, row.path, row.host, row.headers)
    answered(row, reply, row.cluster_status)


@pytest.fixture(scope="module")
def inside(echo: Echo) -> dict[str, wire.Reply]:
    """Replies to the rows from inside, by name; all of one caller are asked at once."""
    found: dict[str, wire.Reply] = {}
    for source in sorted({row.source for row in INSIDE}):
        rows = [row for row in INSIDE if row.source == source]
        deadline = time.monotonic() + 30
        replies = echo.ask(source, rows)
        # A pod that is ready isn't known to every sidecar in the same moment.
        while time.monotonic() < deadline and any(reply.status == 503 for reply in replies):
            replies = echo.ask(source, rows)
        found |= {row.name: reply for row, reply in zip(rows, replies, strict=True)}
    return found


@pytest.mark.parametrize("row", INSIDE, ids=lambda row: row.name)
def test_a_sidecar_decides_as_the_table_says(inside: dict[str, wire.Reply], row: Row) -> None:
    answered(row, inside[row.name], row.cluster_status)


@pytest.fixture(scope="module")
def topology(echo: Echo) -> Topology:
    return echo.topology()


@pytest.mark.parametrize("row", TABLE.rows, ids=lambda row: row.name)
def test_explain_decides_the_same_objects_as_the_table_says(topology: Topology, row: Row) -> None:
    explained(topology, row)
