"""Every scenario renders objects that an API server takes and a Kubernetes engineer would."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from serinus.manifests import Index
from tests.chart.support import (
    APPS,
    NAMES,
    NAMESPACE,
    ROOT,
    one,
    pod_specs,
    render,
    scenario,
    selected,
)

OUTSIDE = {"EnvoyFilter"}
CLUSTER_SCOPED = {"PersistentVolume"}
SELECTING = {"Service", "Deployment", "StatefulSet", "PodDisruptionBudget",
             "AuthorizationPolicy", "PeerAuthentication"}  # fmt: skip


@cache
def validators() -> dict[str, Draft202012Validator]:
    found = {}
    for path in (ROOT / "tests" / "schemas").glob("*.json"):
        document = json.loads(path.read_text())
        for kind, schema in document["kinds"].items():
            found[kind] = Draft202012Validator(schema | {"$defs": document["$defs"]})
    return found


def problems(raw: Any) -> list[str]:
    validator = validators()[f"{raw['apiVersion']}/{raw['kind']}"]
    return [
        f"{raw['kind']} {raw['metadata']['name']} {error.json_path}: {error.message}"
        for error in validator.iter_errors(raw)
    ]


@pytest.mark.parametrize("name", NAMES)
def test_objects_fit_the_schemas_of_kubernetes_istio_and_the_operator(name: str) -> None:
    assert [text for item in scenario(name) for text in problems(item.raw)] == []


def test_a_misspelt_field_is_found() -> None:
    deployment = json.loads(
        json.dumps(one(scenario("tls"), "Deployment", "app-service-stable").raw)
    )
    deployment["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    assert ["readynessProbe" in text for text in problems(deployment)] == [True]


@pytest.mark.parametrize("name", NAMES)
def test_every_object_carries_the_common_labels(name: str) -> None:
    for item in scenario(name):
        assert item.labels["app.kubernetes.io/instance"] == "serinus", str(item)
        assert item.labels["app.kubernetes.io/part-of"] == "serinus", str(item)
        assert item.labels["app.kubernetes.io/managed-by"] == "Helm", str(item)
        assert item.labels["helm.sh/chart"].startswith("serinus-"), str(item)


@pytest.mark.parametrize("name", NAMES)
def test_objects_lie_in_the_release_s_namespace_or_are_named_after_it(name: str) -> None:
    for item in scenario(name):
        if item.kind in CLUSTER_SCOPED:
            assert item.namespace is None, str(item)
            assert item.name.startswith(f"{NAMESPACE}.serinus-"), str(item)
        elif item.kind in OUTSIDE:
            assert item.namespace != NAMESPACE, str(item)
            assert item.name.startswith(f"{NAMESPACE}.serinus-"), str(item)
        else:
            assert item.namespace == NAMESPACE, str(item)


@pytest.mark.parametrize(
    "releases", [(("one", "serinus"), ("two", "serinus")), (("a", "b-c"), ("a-b", "c"))]
)
def test_two_releases_in_two_namespaces_share_no_object(releases: Any) -> None:
    extra = {
        "model": {"cache": {"type": "claim", "persistentVolume": {"hostPath": {"path": "/x"}}}}
    }
    found = [render(extra, namespace=namespace, name=name) for namespace, name in releases]
    first, second = ({(item.kind, item.namespace, item.name) for item in index} for index in found)
    assert len(first) == len(second) > 50
    assert first & second == set()
    counters = {
        json.dumps(
            one(index, "PodMonitor", "mesh-gateway").spec["podMetricsEndpoints"][0][
                "metricRelabelings"
            ][0]
        )
        for index in found
    }
    assert len(counters) == 2


WHOLE_RELEASE = {"app.kubernetes.io/part-of": "serinus", "app.kubernetes.io/instance": "serinus"}


@pytest.mark.parametrize("name", NAMES)
def test_selectors_take_pods_and_only_those_of_their_application(name: str) -> None:
    index = scenario(name)
    pods = [labels for _, _, labels in pod_specs(index)]
    for item in index:
        selector = item.spec.get("selector")
        if item.kind not in SELECTING or not selector:
            continue
        selector = selector.get("matchLabels", selector)
        if "app" not in selector:
            assert selector == WHOLE_RELEASE, str(item)
            continue
        taken = [labels for labels in pods if selected(selector, labels)]
        assert taken, str(item)
        assert {labels["app"] for labels in taken} == {selector["app"]}, str(item)


@pytest.mark.parametrize("name", NAMES)
def test_services_name_their_ports_and_lead_to_a_port_of_the_pod(name: str) -> None:
    index = scenario(name)
    for service in index.of("Service"):
        for port in service.spec["ports"]:
            assert port["name"], str(service)
            for owner, pod, labels in pod_specs(index):
                if selected(service.spec["selector"], labels):
                    names = {
                        entry["name"]
                        for container in pod["containers"]
                        for entry in container["ports"]
                    }
                    assert port["targetPort"] in names, f"{service} > {owner}"


def test_the_gateway_s_ports_and_the_metrics_ports_are_apart() -> None:
    index = scenario("default-cluster")
    for app in APPS:
        ports = one(index, "Service", app).spec["ports"]
        assert [(port["name"], port["port"]) for port in ports] == [("http", 80)]
        metrics = one(index, "Service", f"{app}-metrics").spec
        assert metrics["clusterIP"] == "None"
        assert [(port["name"], port["port"]) for port in metrics["ports"]] == [
            ("http-metrics", 9090)
        ]


def test_the_chart_s_version_restarts_no_pod() -> None:
    for _, _, labels in pod_specs(scenario("default-cluster")):
        assert "helm.sh/chart" not in labels
        assert "app.kubernetes.io/version" not in labels


def references(index: Index) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()

    def visit(value: Any) -> None:
        if isinstance(value, dict):
            for key, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
                if key in value:
                    found.add((kind, value[key]["name"]))
            if "persistentVolumeClaim" in value:
                found.add(("PersistentVolumeClaim", value["persistentVolumeClaim"]["claimName"]))
            if "serviceAccountName" in value:
                found.add(("ServiceAccount", value["serviceAccountName"]))
            for below in value.values():
                visit(below)
        elif isinstance(value, list):
            for below in value:
                visit(below)

    for _, pod, _ in pod_specs(index):
        visit(pod)
    return found


def test_what_pods_refer_to_is_rendered() -> None:
    for name in ("default-cluster", "local-run", "volumes"):
        index = scenario(name)
        existing = {("Secret", "keys"), ("Secret", "database")} if name == "volumes" else set()
        missing = {
            entry for entry in references(index) - existing if index.get(entry[0], entry[1]) is None
        }
        assert missing == set(), name
