"""The table of requests, decided by `explain` and by a real Envoy: both must equal it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
import yaml

from serinus.clients import helm, values
from serinus.manifests import Index
from serinus.mesh import envoy, istio
from serinus.mesh.explain import Request, apply, explain
from serinus.mesh.placement import Placement, SocketAddress, Workload
from serinus.mesh.topology import Topology
from tests.routing.table import Row, load
from tests.support import proxy, wire

ROOT = Path(__file__).parents[2]
TABLE = load()
WORKLOADS = {
    str(item): item for item in proxy.workloads(("app-frontend", "app-service", "model-service"))
}
CALLS = [
    ("app-frontend/stable", "app-service"),
    ("app-frontend/canary", "app-service"),
    ("app-service/stable", "model-service"),
    ("app-service/canary", "model-service"),
    ("app-frontend/canary", "model-service"),
]


@cache
def topology() -> Topology:
    local = yaml.safe_load((ROOT / "src/serinus/local/values.yaml").read_text(encoding="utf-8"))
    given = {
        "secrets": {"sessionKey": "s" * 32, "unitKey": "u" * 32},
        "rollout": {
            "epoch": TABLE.epoch,
            "weights": {"stable": 100 - TABLE.weight, "canary": TABLE.weight},
        },
        "monitoring": {"enabled": False},
    }
    manifest = helm.render(ROOT / "charts/serinus", values.merge(local, given)).manifest
    return istio.read(Index.parse(manifest), "serinus")


def caller(row: Row) -> Workload | None:
    return WORKLOADS[row.source] if row.source else None


def draw(track: str) -> str:
    return f"{track}.{TABLE.epoch}.{TABLE.weight}"


@pytest.mark.parametrize("row", TABLE.rows, ids=lambda row: row.name)
def test_explain_decides_as_the_table_says(row: Row) -> None:
    headers = tuple((name.lower(), value) for name, value in row.headers)
    request = Request(row.method, row.host, row.path, headers, caller(row))
    decision = explain(topology(), request)
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
        seen = dict(apply(headers, share.request))
        answered = apply((("set-cookie", "own=1"),), share.response)
        check(row, track, seen, [value for name, value in answered if name == "set-cookie"])


def check(row: Row, track: str, seen: dict[str, str], cookies: list[str]) -> None:
    expected = dict(row.sees)
    if row.assigns:
        expected["x-assignment"] = draw(track)
        cookie = f"app-version={draw(track)}; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"
        assert cookies == ["own=1", cookie]
    else:
        assert cookies == ["own=1"]
    assert {name: seen.get(name) for name in expected} == expected


async def test_envoy_decides_as_the_table_says(tmp_path: Path) -> None:
    calls = [(WORKLOADS[source], service) for source, service in CALLS]
    placement = proxy.place(tmp_path, WORKLOADS.values(), calls)
    wrong, outside = [], []
    async with proxy.echoing(placement):
        async with proxy.running(tmp_path, envoy.compile(topology(), placement)):
            for number, row in enumerate(TABLE.rows):
                reply = await wire.send(
                    listener(placement, row), row.method, row.path, row.host, row.headers,
                    # An address per row, or the rate limit would decide some of them.
                    client=f"127.200.{number // 250}.{number % 250 + 1}",
                )  # fmt: skip
                if not row.source:
                    outside.append(row)
                try:
                    compare(row, reply)
                except AssertionError as error:
                    wrong.append(f"{row.name}: {error}")
        # Envoy writes its access log out when it ends.
        lines = (tmp_path / "access.log").read_text(encoding="utf-8").splitlines()
    logged = [json.loads(line)["route"] or "" for line in lines]
    # A request without a host never becomes one that is logged with a route; the others all do.
    wrong += [
        f"{row.name}: decided by {rule}"
        for row, rule in zip(outside, logged, strict=True)
        if rule != row.rule
    ]
    assert not wrong, "\n".join(wrong)
    assert "rejected" not in (tmp_path / "envoy.log").read_text(encoding="utf-8")


def listener(placement: Placement, row: Row) -> SocketAddress:
    if not row.source:
        return placement.gateway[0]
    return next(
        item.listen
        for item in placement.outbound
        if (str(item.caller), item.service) == (row.source, row.host)
    )


def compare(row: Row, reply: wire.Reply) -> None:
    assert reply.status == row.status
    if row.status != 200:
        assert not reply.values("set-cookie")
        return
    cookies = reply.values("set-cookie")
    if row.method == "HEAD":
        assert [cookie for cookie in cookies if cookie.startswith("app-version=")]
        return
    seen = reply.seen()
    assert seen.app == row.app
    assert seen.track in ({"stable", "canary"} if row.assigns else {row.track})
    check(row, seen.track, dict(seen.headers), cookies)
