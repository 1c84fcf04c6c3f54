"""The commands on a cluster's release, against a recorded API server."""

import json

import httpx2
import pytest
from click.exceptions import Exit
from tests.unit.cluster.conftest import (
    Server,
    connected,
    deployment,
    pod,
)
from tests.unit.cluster.conftest import release as secret

from serinus import rollout as changes
from serinus.cli import release, shares
from serinus.clients import helm, values
from serinus.clients.kubeconfig import Extension
from serinus.cluster.target import Target
from serinus.manifests import Index
from serinus.mesh import istio

SHOP = "/api/v1/namespaces/shop"
CHART = {
    "metadata": {"apiVersion": "v2", "name": "small", "version": "0.1.0"},
    "values": {
        "hosts": {"frontend": "shop.localhost"},
        "gateway": {"tls": {"enabled": False}},
        "rollout": {
            "epoch": 3,
            "weights": {"stable": 90, "canary": 10},
            "canary": {"enabled": True, "routed": True},
        },
    },
}
RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: app-frontend-gateway}
spec:
  http:
    - name: draw
      route:
        - {destination: {host: a, subset: stable}, weight: 90}
        - {destination: {host: a, subset: canary}, weight: 10}
"""
METRICS = 'serinus_assignments_total{track="canary",epoch="3"} 5.0\n'


def stored(values):
    """What the API server holds of the release."""
    kept = secret(4, values, chart=CHART, manifest=RULES)
    return {
        f"{SHOP}/secrets": {"items": [kept]},
        f"{SHOP}/secrets/sh.helm.release.v1.serinus.v4": kept,
    }


@pytest.fixture
def server():
    found = Server()
    found.answers |= stored({})
    ready = [{"type": "Ready", "status": "True"}]
    live = {
        "metadata": {"name": "app-frontend-gateway"},
        "spec": {"http": [{"name": "draw", "route": [
            {"destination": {"subset": "stable"}, "weight": 50},
            {"destination": {"subset": "canary"}, "weight": 50},
        ]}]},
    }  # fmt: skip
    routes = "/apis/networking.istio.io/v1/namespaces/shop/virtualservices"
    found.answers |= {
        f"{SHOP}/pods": {
            "items": [pod("p-1", state={"running": {}}, ready=True, conditions=ready)]
        },
        f"{SHOP}/pods/p-1/log": "one\ntwo\n",
        f"{SHOP}/pods/p-1:9090/proxy/metrics": METRICS,
        "/apis/apps/v1/namespaces/shop/deployments": {
            "items": [deployment("app-service-canary", available=1)]
        },
        "/apis/apps/v1/namespaces/shop/statefulsets": {"items": []},
        routes: {"items": [live]},
        f"{routes}/app-frontend-gateway": live,
    }
    return found


@pytest.fixture
def target(server):
    return Target(connected(server))


def test_status_exits_1_while_a_workload_is_not_ready(target, capsys):
    with pytest.raises(Exit) as caught:
        release.status(target, as_json=True)
    assert caught.value.exit_code == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["revision"], told["workloads"][0]["ready"]) == (4, 1)


def test_show_tells_configured_live_and_realised(target, capsys):
    release.show(target, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["weights"] == {"stable": 90, "canary": 10}
    assert told["live"] == {"stable": 50, "canary": 50}
    assert told["draws"] == {"stable": 0, "canary": 5}
    assert "route draw" in told["changed_by_hand"][0]
    release.show(target, as_json=False)
    said = capsys.readouterr().out
    assert "epoch 3, canary on, revision 4" in said
    rows = [" ".join(line.split()) for line in said.splitlines()]
    assert "canary 10 % 50 % 100.0 % 5" in rows
    assert "changed by hand: VirtualService app-frontend-gateway" in said


def test_on_one_machine_there_is_no_live_share_and_no_revision(capsys):
    now = changes.read(CHART["values"])
    shares.show(now, {}, as_json=False)
    head, _, names, _, canary, *_ = capsys.readouterr().out.splitlines()
    assert head == "epoch 3, canary on"
    assert names.split() == ["track", "configured", "realised", "draws"]
    assert canary.split() == ["canary", "10", "%", "-", "0"]
    shares.show(now, {"canary": 5}, as_json=True)
    assert json.loads(capsys.readouterr().out) == {
        "epoch": 3, "enabled": True, "routed": True,
        "weights": {"stable": 90, "canary": 10}, "draws": {"stable": 0, "canary": 5},
    }  # fmt: skip


def test_status_of_a_release_without_workloads_exits_1(target, server):
    server.answers["/apis/apps/v1/namespaces/shop/deployments"] = {"items": []}
    with pytest.raises(Exit):
        release.status(target, as_json=False)


def test_show_tells_what_it_can_where_a_page_or_the_routes_are_missing(target, server, capsys):
    server.answers[f"{SHOP}/pods/p-1:9090/proxy/metrics"] = httpx2.Response(502, text="refused")
    del server.answers["/apis/networking.istio.io/v1/namespaces/shop/virtualservices"]
    del server.answers[
        "/apis/networking.istio.io/v1/namespaces/shop/virtualservices/app-frontend-gateway"
    ]
    release.show(target, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["weights"] == {"stable": 90, "canary": 10}
    assert told["draws"] == told["live"] == {"stable": None, "canary": None}
    assert "/metrics of p-1" in told["refused"][0]
    release.show(target, as_json=False)
    said = capsys.readouterr().out
    assert "canary 10 % - - -" in [" ".join(line.split()) for line in said.splitlines()]
    assert "the gateway has no routes of this release" in said
    assert "policy.apiServerCIDRs" in said


def test_a_release_with_tls_and_another_s_dashboards_can_be_explained(target, server, capsys):
    for name in ("tls", "two-hosts"):
        given = values.read(helm.bundled() / "ci" / f"{name}.yaml")
        manifest = helm.render(helm.bundled(), given).manifest
        kept = secret(4, {}, chart=CHART, manifest=manifest)
        server.answers[f"{SHOP}/secrets/sh.helm.release.v1.serinus.v4"] = kept
        target.fresh()
        where = release.released(target)
        topology = istio.read(Index.parse(where.manifest), where.namespace, elsewhere=True)
        assert topology.gateways


@pytest.mark.parametrize(
    ("tls", "given", "gateway"),
    [
        (False, None, "127.0.0.1:1"),
        (True, None, "https://127.0.0.1:1"),
        (True, "127.0.0.1:2", "https://127.0.0.1:2"),
        (True, "http://127.0.0.1:2", "http://127.0.0.1:2"),
    ],
)
def test_visitors_come_over_https_where_the_release_has_tls(target, server, tls, given, gateway):
    target.cluster.extension = Extension(gateway="127.0.0.1:1")
    server.answers |= stored({"gateway": {"tls": {"enabled": tls}}})
    assert release.visited(target, given, None) == (gateway, "shop.localhost")
    assert release.visited(target, given, "other")[1] == "other"


def test_what_is_released_is_explained_without_the_change_by_hand(target, capsys):
    found = release.released(target)
    assert found.manifest == RULES
    assert "not in what follows" in capsys.readouterr().err
    assert changes.read(target.whole).canary == 10
