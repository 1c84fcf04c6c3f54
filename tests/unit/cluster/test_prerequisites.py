import copy

import httpx2
import pytest

from serinus.clients import helm
from serinus.cluster import prerequisites
from serinus.errors import ClusterError

from .conftest import deployment

KINDS = {
    "networking.istio.io/v1": ["Gateway", "VirtualService", "DestinationRule"],
    "networking.istio.io/v1alpha3": ["EnvoyFilter"],
    "security.istio.io/v1": ["PeerAuthentication", "AuthorizationPolicy"],
    "monitoring.coreos.com/v1": ["ServiceMonitor", "PodMonitor", "PrometheusRule"],
    "monitoring.coreos.com/v1alpha1": ["AlertmanagerConfig"],
}
DEFAULT = {"storageclass.kubernetes.io/is-default-class": "true"}


@pytest.fixture(scope="module")
def defaults():
    return helm.coalesce(helm.bundled(), {})


@pytest.fixture
def values(defaults):
    return copy.deepcopy(defaults)


@pytest.fixture
def prepared(server):
    istiod = deployment("istiod")
    istiod["status"]["readyReplicas"] = 1
    server.answers |= {
        "/version": {"major": "1", "minor": "34+"},
        "/apis/apps/v1/namespaces/istio-system/deployments": {"items": [istiod]},
        "/apis/apps/v1/namespaces/istio-system/statefulsets": {"items": []},
        "/apis/storage.k8s.io/v1/storageclasses": {
            "items": [{"metadata": {"name": "standard", "annotations": DEFAULT}}]
        },
    }
    for group, kinds in KINDS.items():
        server.answers[f"/apis/{group}"] = {"resources": [{"kind": kind} for kind in kinds]}
    return server


def test_a_prepared_cluster_lacks_nothing(prepared, cluster, values):
    assert list(prerequisites.problems(cluster, values)) == []


def test_everything_that_is_missing_is_told_at_once_each_with_its_remedy(prepared, cluster, values):
    prepared.answers["/version"] = {"major": "1", "minor": "29"}
    prepared.answers.pop("/apis/security.istio.io/v1")
    prepared.answers.pop("/apis/monitoring.coreos.com/v1")
    prepared.answers["/apis/storage.k8s.io/v1/storageclasses"] = {
        "items": [{"metadata": {"name": "slow"}}]
    }
    prepared.forbidden = {("create", "deployments"), ("list", "gateways")}
    with pytest.raises(ClusterError) as caught:
        prerequisites.check(cluster, values)
    said = str(caught.value)
    for what in (
        "1.29, older than 1.30",
        "Istio's kinds PeerAuthentication, AuthorizationPolicy",
        "the Prometheus operator's kinds ServiceMonitor, PodMonitor, PrometheusRule",
        "--set monitoring.enabled=false",
        "a default storage class, for store.postgresql (classes: slow)",
        "the right to create deployments in namespace shop",
        "the right to list gateways in all namespaces",
        "gateway.checkHosts=false goes without",
    ):
        assert what in said


def test_an_istiod_that_is_not_ready_is_told(prepared, cluster, values):
    path = "/apis/apps/v1/namespaces/istio-system/deployments"
    prepared.answers[path]["items"][0]["status"]["readyReplicas"] = 0
    (problem,) = prerequisites.problems(cluster, values)
    assert "a ready istiod in namespace istio-system" in str(problem)


@pytest.mark.parametrize(
    ("image", "told"),
    [
        ("docker.io/istio/pilot:1.25.4", True),
        ("gcr.io/istio-release/pilot:1.24.0-distroless", True),
        ("registry:5000/pilot:1.26.0", False),
        ("docker.io/istio/pilot:1.30.1-distroless", False),
        ("registry:5000/pilot:dev", False),
        ("registry:1.2/pilot", False),
    ],
)
def test_an_istio_that_is_too_old_is_told(prepared, cluster, values, image, told):
    path = "/apis/apps/v1/namespaces/istio-system/deployments"
    other = {"name": "other", "image": "docker.io/other:9.9"}
    pod = {"spec": {"containers": [{"name": "discovery", "image": image}, other]}}
    prepared.answers[path]["items"][0]["spec"]["template"] = pod
    said = [str(problem) for problem in prerequisites.problems(cluster, values)]
    assert [line.startswith("Istio 1.26 or newer; 1.2") for line in said] == [True] * told


def test_what_is_switched_off_is_not_asked_for(prepared, cluster, values):
    prepared.answers.pop("/apis/monitoring.coreos.com/v1")
    prepared.answers.pop("/apis/storage.k8s.io/v1/storageclasses")
    values["monitoring"]["enabled"] = False
    values["store"]["postgresql"]["storageClassName"] = "fast"
    values["gateway"]["rateLimit"]["enabled"] = False
    prepared.forbidden = {("create", "envoyfilters"), ("create", "servicemonitors")}
    assert list(prerequisites.problems(cluster, values)) == []


def test_rights_of_one_place_and_remedy_share_a_line(prepared, cluster, values):
    names = ("services", "secrets", "deployments")
    prepared.forbidden = {(verb, name) for verb in ("create", "patch") for name in names}
    (problem,) = prerequisites.problems(cluster, values)
    assert problem.what == (
        "the right to create and patch secrets, services and deployments in namespace shop"
    )
    assert problem.remedy == "ask the cluster's owner for it"


def test_each_part_that_can_be_switched_off_tells_how(prepared, cluster, values):
    values["workloads"]["app-frontend"]["autoscaling"]["enabled"] = True
    values["monitoring"]["alertmanager"]["recipient"] = "a@example.org"
    values["model"]["cache"] |= {"type": "claim", "persistentVolume": {"hostPath": {}}}
    prepared.answers["/apis/monitoring.coreos.com/v1"]["resources"] += [
        {"kind": "AlertmanagerConfig"}
    ]
    prepared.forbidden = {("create", name) for name in prerequisites._SWITCHES}
    said = "\n".join(map(str, prerequisites.problems(cluster, values)))
    for name, switch in prerequisites._SWITCHES.items():
        assert name in said
        assert switch in said


def test_looks_that_are_not_allowed_are_left_out(prepared, cluster, values):
    """Classes, istiod and nodes are the cluster's; a raw 403 of one would hide all the rest."""
    refusal = httpx2.Response(403, json={"kind": "Status", "message": "forbidden", "code": 403})
    for path in (
        "/apis/storage.k8s.io/v1/storageclasses",
        "/apis/apps/v1/namespaces/istio-system/statefulsets",
    ):
        prepared.answers[path] = refusal
    prepared.forbidden = {("list", "storageclasses"), ("list", "statefulsets")}
    (problem,) = prerequisites.problems(cluster, values)
    assert problem.what == "the right to list statefulsets in namespace shop"


def test_a_namespace_that_is_not_there_takes_the_right_to_create_one(prepared, cluster, values):
    del prepared.answers["/api/v1/namespaces/shop"]
    assert list(prerequisites.problems(cluster, values)) == []
    prepared.forbidden = {("create", "namespaces")}
    (problem,) = prerequisites.problems(cluster, values)
    assert "the right to create namespaces in all namespaces" in problem.what
    assert "the namespace does not exist yet" in problem.remedy


def test_what_a_change_takes_away_needs_the_right_too(prepared, cluster, values):
    before = copy.deepcopy(values)
    values["gateway"]["rateLimit"]["enabled"] = False
    prepared.forbidden = {("delete", "envoyfilters"), ("create", "envoyfilters")}
    (problem,) = prerequisites.problems(cluster, values, before)
    assert problem.what == "the right to delete envoyfilters in namespace istio-system"
    assert "the revision in force has what the new one takes away" in problem.remedy
    with pytest.raises(ClusterError, match=r"may not do what it takes[\s\S]*delete envoyfilters"):
        prerequisites.check_rights(cluster, values, before)
