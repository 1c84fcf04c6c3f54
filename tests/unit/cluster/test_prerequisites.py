import copy

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


def test_what_is_switched_off_is_not_asked_for(prepared, cluster, values):
    prepared.answers.pop("/apis/monitoring.coreos.com/v1")
    prepared.answers.pop("/apis/storage.k8s.io/v1/storageclasses")
    values["monitoring"]["enabled"] = False
    values["store"]["postgresql"]["storageClassName"] = "fast"
    values["gateway"]["rateLimit"]["enabled"] = False
    prepared.forbidden = {("create", "envoyfilters"), ("create", "servicemonitors")}
    assert list(prerequisites.problems(cluster, values)) == []
