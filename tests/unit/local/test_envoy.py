from pathlib import Path

import pytest

from serinus.errors import LocalRunError, MeshError
from serinus.local import envoy
from serinus.local.fleet import Endpoint
from serinus.local.plan import Outbound
from serinus.manifests import Index


def test_the_placement_says_where_everything_is(make_plan, make_workload, tmp_path):
    outbound = Outbound(workload="front-stable", service="back", address="127.20.1.1", port=15100)
    plan = make_plan(make_workload(), make_workload("back-stable"), outbound=(outbound,))
    pod = Endpoint(
        "back-stable", "127.20.1.10", {"app": "back", "version": "stable"}, {"http": 8080}
    )
    placed = envoy.place(plan, (pod,))
    assert [str(address) for address in placed.gateway] == ["127.0.0.1:8080"]
    assert str(placed.admin) == "127.20.1.1:15000"
    assert placed.directory == str(tmp_path / "envoy")
    (listener,) = placed.outbound
    assert (str(listener.caller), listener.service, str(listener.listen)) == (
        "front/stable",
        "back",
        "127.20.1.1:15100",
    )
    assert placed.endpoints[0].labels["version"] == "stable"


def test_the_program_is_installed():
    assert envoy.program().exists()
    argv = envoy.daemon("/state", "127.20.1").argv
    assert "--disable-hot-restart" in argv
    assert "/state/envoy/bootstrap.json" in argv


def test_too_few_watches_are_told_before_envoy_starts(monkeypatch):
    monkeypatch.setattr(envoy, "_watches", lambda: 10**9)
    with pytest.raises(LocalRunError, match="inotify instances"):
        envoy.check_watches(16)
    monkeypatch.setattr(envoy, "_watches", lambda: 0)
    envoy.check_watches(16)


def test_watches_of_this_process_are_counted():
    assert envoy._watches() >= 0


BROKEN_FILTER = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gateway}
spec: {selector: {istio: ingressgateway}, servers: []}
---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: limit}
spec:
  configPatches:
    - applyTo: HTTP_FILTER
      patch:
        operation: INSERT_FIRST
        value: {name: mine, typed_config: {"@type": type.googleapis.com/no.such.Filter}}
"""


def test_envoy_is_asked_before_anything_starts(make_plan, tmp_path):
    plan = make_plan()
    with pytest.raises(MeshError, match=r"Envoy refuses the configuration: .*no\.such\.Filter"):
        envoy.attempt(plan, Index.parse(BROKEN_FILTER))


def test_envoy_is_not_asked_about_a_new_weight(make_plan, monkeypatch):
    plan, nothing = make_plan(), Index.parse("")
    asked = []
    monkeypatch.setattr(envoy, "validate", asked.append)
    assert envoy.attempt(plan, nothing) == 3
    (resources,) = asked
    for name, text in resources.files.items():
        path = Path(plan.state, "envoy", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("other" if name.startswith("rds/") else text, encoding="utf-8")
    envoy.attempt(plan, nothing)
    assert len(asked) == 1
