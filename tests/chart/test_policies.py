"""Who may speak to whom: one table of required and forbidden flows, for network and mesh."""

from __future__ import annotations

import pytest

from serinus.manifests import Index
from tests.chart.network import End, authorized, connects
from tests.chart.support import APPS, NAMESPACE, one, render, scenario


def pod(app: str, index: Index) -> End:
    for kind, name in (("Deployment", f"{app}-stable"), ("StatefulSet", app)):
        if found := index.get(kind, name):
            return End(NAMESPACE, found.spec["template"]["metadata"]["labels"])
    raise AssertionError(app)


GATEWAY = End("istio-system", {"istio": "ingressgateway", "app": "istio-ingressgateway"})
ISTIOD = End("istio-system", {"app": "istiod"})
DNS = End("kube-system", {"k8s-app": "kube-dns"})
PROMETHEUS = End("monitoring", {"app.kubernetes.io/name": "prometheus"})
MAIL = End("mail", {"app": "smtp"})
HELM_TEST = End(
    NAMESPACE,
    {
        "app": "helm-test",
        "app.kubernetes.io/instance": "serinus",
        "app.kubernetes.io/part-of": "serinus",
    },
)
STRANGER = End("elsewhere", {"app": "app-frontend"})
NEIGHBOUR = End(NAMESPACE, {"app": "curl"})
INTERNET = End(address="203.0.113.9")
NODE_DNS = End(address="169.254.20.10")
API_SERVER = End(address="10.128.0.2")
ENDS = {
    "gateway": GATEWAY, "istiod": ISTIOD, "dns": DNS, "prometheus": PROMETHEUS, "mail": MAIL,
    "helm-test": HELM_TEST, "stranger": STRANGER, "neighbour": NEIGHBOUR, "internet": INTERNET,
    "dns of the node": NODE_DNS, "api server": API_SERVER,
}  # fmt: skip

FLOWS = [
    # from, to, port, allowed
    ("gateway", "app-frontend", 8080, True),
    ("app-frontend", "app-service", 8080, True),
    ("app-service", "model-service", 8080, True),
    ("app-service", "postgresql", 5432, True),
    *((app, "istiod", 15012, True) for app in (*APPS, "postgresql")),
    *((app, "dns", 53, True) for app in (*APPS, "postgresql", "helm-test")),
    *((app, "dns of the node", 53, True) for app in (*APPS, "postgresql", "helm-test")),
    *((app, "dns of the node", 80, False) for app in (*APPS, "postgresql", "helm-test")),
    *(("prometheus", app, 9090, True) for app in APPS),
    *(("prometheus", app, port, True) for app in (*APPS, "postgresql") for port in (15020, 15090)),
    *(("stranger", app, port, False) for app in (*APPS, "postgresql") for port in (15020, 15090)),
    *(("api server", app, 9090, False) for app in APPS),
    ("helm-test", "gateway", 80, True),
    *(("helm-test", app, 9090, True) for app in APPS),
    ("gateway", "app-service", 8080, False),
    ("gateway", "model-service", 8080, False),
    *(("gateway", app, 9090, False) for app in APPS),
    ("app-frontend", "model-service", 8080, False),
    ("app-frontend", "postgresql", 5432, False),
    ("model-service", "app-service", 8080, False),
    ("model-service", "postgresql", 5432, False),
    ("app-service", "app-frontend", 8080, False),
    ("prometheus", "app-frontend", 8080, False),
    ("prometheus", "postgresql", 5432, False),
    *((end, app, 8080, False) for end in ("stranger", "neighbour", "helm-test") for app in APPS),
    *((end, app, 9090, False) for end in ("stranger", "neighbour") for app in APPS),
    *((end, "postgresql", 5432, False) for end in ("stranger", "neighbour", "helm-test")),
    *((app, "internet", 443, False) for app in (*APPS, "postgresql")),
    *((app, "mail", 25, False) for app in APPS),
    *((app, "stranger", 8080, False) for app in APPS),
]


@pytest.mark.parametrize(("source", "target", "port", "allowed"), FLOWS)
def test_network_policies_allow_what_is_needed_and_nothing_else(
    source: str, target: str, port: int, allowed: bool
) -> None:
    index = scenario("default-cluster")
    start = ENDS.get(source) or pod(source, index)
    end = ENDS.get(target) or pod(target, index)
    assert connects(index, start, end, port) is allowed


def test_names_are_asked_for_over_udp_too() -> None:
    index = scenario("default-cluster")
    assert connects(index, pod("app-service", index), DNS, 53, "UDP")
    assert not connects(index, pod("app-service", index), INTERNET, 53, "UDP")


def test_a_dns_elsewhere_is_asked_where_it_listens() -> None:
    index = render({"policy": {"dnsPorts": [5353], "dnsCIDRs": ["10.0.0.2/32"]}})
    start = pod("app-service", index)
    assert connects(index, start, DNS, 5353, "UDP")
    assert connects(index, start, End(address="10.0.0.2"), 5353)
    assert not connects(index, start, DNS, 53, "UDP")
    assert not connects(index, start, NODE_DNS, 5353)


def test_the_api_server_fetches_the_page_that_counts_draws_and_no_other() -> None:
    index = render({"policy": {"apiServerCIDRs": ["10.128.0.0/28", "2001:db8::/64"]}})
    for end in (API_SERVER, End(address="2001:db8::1")):
        assert connects(index, end, pod("app-frontend", index), 9090)
        assert not connects(index, end, pod("app-frontend", index), 8080)
        for app in ("app-service", "model-service"):
            assert not connects(index, end, pod(app, index), 9090)
    assert not connects(index, INTERNET, pod("app-frontend", index), 9090)


def test_an_exposed_api_is_reached_from_the_gateway() -> None:
    index = scenario("api-exposed")
    assert connects(index, GATEWAY, pod("app-service", index), 8080)
    assert not connects(index, GATEWAY, pod("app-service", index), 9090)
    assert not connects(index, GATEWAY, pod("model-service", index), 8080)


def test_an_external_database_and_registry_are_reached_where_they_may_lie() -> None:
    index = scenario("postgresql-external")
    inside, outside = End(address="10.20.1.1"), End(address="10.21.1.1")
    assert connects(index, pod("app-service", index), inside, 6432)
    assert not connects(index, pod("app-service", index), outside, 6432)
    assert not connects(index, pod("app-frontend", index), inside, 6432)
    assert connects(index, pod("model-service", index), inside, 8081)
    assert not connects(index, pod("model-service", index), inside, 6432)
    assert index.get("NetworkPolicy", "postgresql") is None


def test_an_external_database_may_be_a_pod_and_have_an_address_of_ipv6() -> None:
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "databases"}}}
    store = {"postgresql": {"enabled": False}, "databaseUrl": {"existingSecret": "mine"}}
    index = render({"store": store, "policy": {"externalPeers": [peer]}})
    for end in (End("databases", {"app": "any"}), End(address="2001:db8::1"), INTERNET):
        assert connects(index, pod("app-service", index), end, 5432)
        assert not connects(index, pod("app-frontend", index), end, 5432)
    assert not connects(index, pod("app-service", index), End("elsewhere"), 5432)
    block = {"cidr": "10.0.0.0/8", "except": ["10.9.0.0/16"]}
    within = {"externalCIDRs": [], "externalPeers": [{"ipBlock": block}]}
    index = render({"store": store, "policy": within})
    assert connects(index, pod("app-service", index), End(address="10.8.0.1"), 5432)
    assert not connects(index, pod("app-service", index), End(address="10.9.0.1"), 5432)
    nowhere = render({"store": store, "policy": {"externalCIDRs": []}})
    assert not connects(nowhere, pod("app-service", nowhere), INTERNET, 5432)


@pytest.mark.parametrize(
    ("registry", "port"),
    [("http://m.example.org/x", 80), ("https://m.example.org/x", 443), ("https://m:8443/", 8443)],
)
def test_the_registry_s_port_is_the_one_of_its_address(registry: str, port: int) -> None:
    index = render({"model": {"registry": registry}})
    assert connects(index, pod("model-service", index), INTERNET, port)
    assert not connects(index, pod("model-service", index), INTERNET, port + 1)


def principal(account: str, namespace: str = NAMESPACE) -> str:
    return f"cluster.local/ns/{namespace}/sa/{account}"


INGRESS = principal("istio-ingressgateway", "istio-system")
CALLS = [
    # to, port, principal, method, path, allowed
    ("app-frontend", 8080, INGRESS, "POST", "/reviews", True),
    ("app-service", 8080, principal("app-frontend"), "POST", "/v1/reviews", True),
    ("model-service", 8080, principal("app-service"), "POST", "/v1/predict", True),
    ("postgresql", 5432, principal("app-service"), "", "", True),
    *((app, 9090, "", "GET", "/metrics", True) for app in APPS),
    ("app-service", 8080, INGRESS, "GET", "/v1/reviews/1", False),
    ("model-service", 8080, principal("app-frontend"), "POST", "/v1/predict", False),
    ("model-service", 8080, INGRESS, "POST", "/v1/predict", False),
    ("app-frontend", 8080, principal("app-service"), "GET", "/", False),
    ("app-frontend", 8080, principal("istio-ingressgateway"), "GET", "/", False),
    ("app-service", 8080, principal("app-frontend", "elsewhere"), "GET", "/version", False),
    ("postgresql", 5432, principal("app-frontend"), "", "", False),
    ("postgresql", 5432, "", "", "", False),
    *((app, 8080, "", "GET", "/", False) for app in APPS),
    *((app, 8080, "", "GET", "/metrics", False) for app in APPS),
    *((app, 9090, "", "GET", "/readyz", False) for app in APPS),
    *((app, 9090, "", "POST", "/metrics", False) for app in APPS),
    *((app, 9090, INGRESS, "GET", "/livez", False) for app in APPS),
]


@pytest.mark.parametrize(("target", "port", "caller", "method", "path", "allowed"), CALLS)
def test_the_mesh_allows_what_is_needed_and_nothing_else(
    target: str, port: int, caller: str, method: str, path: str, allowed: bool
) -> None:
    index = scenario("default-cluster")
    labels = pod(target, index).labels
    assert authorized(index, labels, port, caller, method, path) is allowed


def test_an_exposed_api_admits_the_gateway_and_still_the_frontend() -> None:
    index = scenario("two-hosts")
    labels = pod("app-service", index).labels
    assert authorized(index, labels, 8080, principal("edge", "edge"))
    assert authorized(index, labels, 8080, principal("app-frontend"))
    assert not authorized(index, labels, 8080, INGRESS)


def test_what_no_policy_names_is_denied_to_the_releases_pods_alone() -> None:
    index = scenario("default-cluster")
    new = {"app": "new", "app.kubernetes.io/part-of": "serinus"}
    assert not authorized(index, new | {"app.kubernetes.io/instance": "serinus"}, 80, INGRESS)
    assert authorized(index, new | {"app.kubernetes.io/instance": "another"}, 80, INGRESS)
    assert authorized(index, {"app": "anything"}, 80)


def test_mutual_tls_is_strict_but_for_the_metrics_port() -> None:
    index = scenario("default-cluster")
    assert one(index, "PeerAuthentication", "postgresql").spec["mtls"] == {"mode": "STRICT"}
    for item in index.of("PeerAuthentication"):
        assert item.spec["selector"]["matchLabels"], "the rest of the namespace is not the chart's"
    for app in APPS:
        spec = one(index, "PeerAuthentication", f"{app}-metrics").spec
        assert spec["mtls"]["mode"] == "STRICT"
        assert spec["portLevelMtls"] == {9090: {"mode": "PERMISSIVE"}}


def test_policies_can_be_left_to_somebody_else() -> None:
    index = scenario("policies-off")
    for kind in ("PeerAuthentication", "AuthorizationPolicy", "NetworkPolicy"):
        assert index.of(kind) == ()
