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
from serinus.mesh.placement import Placement, SocketAddress
from serinus.mesh.topology import Topology
from tests.routing.decide import TABLE, WORKLOADS, answered, explained
from tests.routing.table import Row
from tests.support import proxy, wire

ROOT = Path(__file__).parents[2]
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
        "rollout": TABLE.rollout,
        "monitoring": {"enabled": False},
    }
    manifest = helm.render(ROOT / "charts/serinus", values.merge(local, given)).manifest
    return istio.read(Index.parse(manifest), "serinus")


def test_the_table_has_60_rows_at_least() -> None:
    assert len(TABLE.rows) >= 60


@pytest.mark.parametrize("row", TABLE.rows, ids=lambda row: row.name)
def test_explain_decides_as_the_table_says(row: Row) -> None:
    explained(topology(), row)


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
                    answered(row, reply, row.status)
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
