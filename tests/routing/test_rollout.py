"""The routing contract over a rollout: canary off, waiting, at weight 0, and in a new epoch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from serinus import rollout
from serinus.clients import helm, values
from serinus.errors import MeshError
from serinus.manifests import Index
from serinus.mesh import envoy, istio
from serinus.mesh.explain import Decision, Request, explain
from serinus.mesh.placement import Workload
from serinus.mesh.topology import Topology
from tests.support import proxy

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "serinus"
KEYS = {"secrets": {"sessionKey": "s" * 32, "unitKey": "u" * 32}}
DIGEST = "sha256:" + "0" * 64
SCENARIOS = sorted(path.stem for path in (CHART / "ci").glob("*.yaml"))


def topology(epoch: int, canary: int, **switches: bool) -> Topology:
    local = values.read(ROOT / "src/serinus/local/values.yaml")
    rollout: dict[str, Any] = {
        "epoch": epoch, "weights": {"stable": 100 - canary, "canary": canary}, "canary": switches,
    }  # fmt: skip
    given = values.merge(local, KEYS, {"rollout": rollout, "monitoring": {"enabled": False}})
    return istio.read(Index.parse(helm.render(CHART, given).manifest), "serinus")


@pytest.mark.parametrize("stable", [{"env": {"ONLY_STABLE": "1"}}, {"image": {"digest": DIGEST}}])
def test_a_promotion_renders_where_stable_has_what_the_canary_has_not(
    stable: dict[str, Any],
) -> None:
    tracks = {"workloads": {"app-service": {"tracks": {"stable": stable}}}}
    local = values.read(ROOT / "src/serinus/local/values.yaml")
    given = values.merge(local, KEYS, {"monitoring": {"enabled": False}}, tracks)
    promoted = rollout.promote({}, helm.coalesce(CHART, given))
    manifest = helm.render(CHART, values.merge(given, promoted)).manifest
    assert "app-service-stable" in manifest
    assert "ONLY_STABLE" not in manifest
    assert DIGEST not in manifest


def visit(where: Topology, cookie: str = "", path: str = "/") -> Decision:
    headers = (("cookie", cookie),) if cookie else ()
    return explain(where, Request("GET", "app-frontend.localhost", path, headers))


def told(decision: Decision) -> tuple[str, dict[str, float], bool]:
    """Rule, percent per track, and whether a cookie is set."""
    assert decision.route is not None
    sets = any(step.write for share in decision.shares for step in share.response)
    return decision.route.name, {s.subset: s.percent for s in decision.shares}, sets


@pytest.mark.parametrize(
    ("name", "epoch", "canary", "switches", "visits"),
    [
        ("off in a new epoch", 8, 0, {"enabled": False, "routed": False}, {
            "": ("draw-get", {"stable": 100.0}, True),
            "app-version=canary.7.10": ("draw-get", {"stable": 100.0}, True),
            "app-version=canary": ("draw-get", {"stable": 100.0}, True),
            "app-version=stable": ("returning-stable-get", {"stable": 100.0}, False),
        }),
        ("its pods ready first", 8, 0, {"enabled": True, "routed": False}, {
            "": ("draw-get", {"stable": 100.0}, True),
            "app-version=canary": ("draw-get", {"stable": 100.0}, True),
        }),
        ("at weight 0 its visitors finish", 7, 0, {"enabled": True, "routed": True}, {
            "": ("draw-get", {"stable": 100.0}, True),
            "app-version=canary.7.10": ("returning-canary-get", {"canary": 100.0}, False),
            "app-version=stable.7.10": ("returning-stable-get", {"stable": 100.0}, False),
        }),
        ("at weight 100", 7, 100, {"enabled": True, "routed": True}, {
            "": ("draw-get", {"canary": 100.0}, True),
            "app-version=stable.7.10": ("returning-stable-get", {"stable": 100.0}, False),
        }),
        ("from 10 to 25", 7, 25, {"enabled": True, "routed": True}, {
            "": ("draw-get", {"stable": 75.0, "canary": 25.0}, True),
            "app-version=canary.7.10": ("returning-canary-get", {"canary": 100.0}, False),
            "app-version=stable.7.10": ("returning-stable-get", {"stable": 100.0}, False),
        }),
        ("a new epoch draws everyone", 8, 25, {"enabled": True, "routed": True}, {
            "app-version=canary.7.10": ("draw-get", {"stable": 75.0, "canary": 25.0}, True),
            "app-version=stable.7.10": ("draw-get", {"stable": 75.0, "canary": 25.0}, True),
        }),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_visitors(
    name: str, epoch: int, canary: int, switches: dict[str, bool], visits: dict[str, Any]
) -> None:
    where = topology(epoch, canary, **switches)
    assert {cookie: told(visit(where, cookie)) for cookie in visits} == visits


def test_without_canary_nothing_reaches_its_pods() -> None:
    where = topology(8, 0, enabled=False, routed=False)
    assert told(visit(where, path="/assets/canary/a.js"))[1] == {"stable": 100.0}
    forced = Request("GET", "app-service.localhost", "/version", (("x-app-version", "canary"),))
    assert told(explain(where, forced)) == ("stable-get", {"stable": 100.0}, False)


@pytest.mark.parametrize("track", ["stable", "canary"])
@pytest.mark.parametrize("enabled", [True, False])
def test_callers_keep_their_track_whether_canary_is_on_or_off(track: str, enabled: bool) -> None:
    caller = Workload("app-service", track, {"app": "app-service", "version": track})
    where = topology(8, 0, enabled=enabled, routed=enabled)
    decision = explain(where, Request("POST", "model-service", "/v1/predict", source=caller))
    assert [share.subset for share in decision.shares] == [track]


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_of_the_chart_compiles_or_says_why(name: str, tmp_path: Path) -> None:
    given = values.read(CHART / "ci" / f"{name}.yaml")
    index = Index.parse(helm.render(CHART, given).manifest)
    pods = proxy.workloads(("app-frontend", "app-service", "model-service"))
    placement = proxy.place(tmp_path, pods, [(pods[0], "app-service"), (pods[2], "model-service")])
    if any("tls" in server for item in index.of("Gateway") for server in item.spec["servers"]):
        with pytest.raises(MeshError, match=r"spec\.servers\[\d\].*TLS"):
            envoy.compile(istio.read(index, elsewhere=True), placement)
        return
    if given.get("hosts", {}).get("grafana"):
        # It lies in another release, which one machine doesn't have.
        with pytest.raises(MeshError, match="no Service named monitoring-grafana"):
            istio.read(index)
        return
    assert envoy.compile(istio.read(index), placement).files["rds/gateway.json"]
