"""A row of the table held against a decision, of `explain` or of an Envoy whose pods echo.

Enters: a row, and what became of its request. Leaves: nothing, or AssertionError. Called by the
tests on the local Envoy and on the Envoys that istiod configures, so all are held to the same.
"""

from __future__ import annotations

from serinus.mesh.explain import Request, apply, explain
from serinus.mesh.topology import Topology
from tests.routing.table import Row, load
from tests.support import proxy, wire

TABLE = load()
WORKLOADS = {
    str(item): item for item in proxy.workloads(("app-frontend", "app-service", "model-service"))
}


def explained(topology: Topology, row: Row) -> None:
    """`serinus mesh explain` decides as the row says."""
    headers = tuple((name.lower(), value) for name, value in row.headers)
    caller = WORKLOADS[row.source] if row.source else None
    decision = explain(topology, Request(row.method, row.host, row.path, headers, caller))
    assert (decision.status or 200) == row.status
    if row.status != 200:
        assert decision.route is None
        return
    assert decision.route is not None
    assert decision.route.name == row.rule
    shares = {share.subset: share for share in decision.shares}
    weights = {"stable": 100.0 - TABLE.weight, "canary": float(TABLE.weight)}
    assert {name: share.percent for name, share in shares.items()} == (
        weights if row.assigns else {row.track: 100.0}
    )
    for track, share in shares.items():
        assert share.service == row.app
        given = apply((("set-cookie", "own=1"),), share.response)
        cookies = [value for name, value in given if name == "set-cookie"]
        _check(row, track, apply(headers, share.request), cookies)


def answered(row: Row, reply: wire.Reply, status: int) -> None:
    """An Envoy's answer is what the row says, with this status when it is a refusal."""
    if row.status != 200:
        assert reply.status == status
        assert not reply.values("set-cookie")
        return
    assert reply.status == 200
    cookies = reply.values("set-cookie")
    if row.method == "HEAD":
        assert [cookie for cookie in cookies if cookie.startswith("app-version=")]
        return
    seen = reply.seen()
    assert seen.app == row.app
    assert seen.track in ({"stable", "canary"} if row.assigns else {row.track})
    _check(row, seen.track, seen.headers, cookies)


def _check(row: Row, track: str, seen: wire.Headers, cookies: list[str]) -> None:
    expected = dict(row.sees)
    if row.assigns:
        draw = f"{track}.{TABLE.epoch}.{TABLE.weight}"
        expected["x-assignment"] = draw
        cookie = f"app-version={draw}; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"
        assert cookies == ["own=1", cookie]
    else:
        assert cookies == ["own=1"]
    # Each exactly once: a client's own beside the gateway's would be believed by some.
    assert {name: [value for key, value in seen if key == name] for name in expected} == {
        name: [] if value is None else [value] for name, value in expected.items()
    }
