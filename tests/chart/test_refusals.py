"""Wrong values are refused with their path and a remedy; nothing is rendered from them."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.clients import helm, values
from serinus.errors import ChartError
from tests.chart.support import CHART, NAMESPACE, render


def path(dotted: str, value: Any) -> dict[str, Any]:
    """Values with one entry; a dot parts keys."""
    for key in reversed(dotted.split(".")):
        value = {key: value}
    return value


CANARY = "workloads.app-service.tracks.canary"
CHECKED = [
    # values, where the message begins, what its remedy says
    (
        path("rollout.weights", {"stable": 80, "canary": 30}),
        "rollout.weights: 80 for stable and 30 for canary add up to 110",
        "serinus rollout set",
    ),
    (
        path("rollout.canary", {"enabled": False, "routed": True}),
        "rollout.canary.routed: visitors would be sent to a canary that does not run",
        "rollout.canary.enabled=true",
    ),
    *(
        (
            {"pods": {"labels": {key: "x"}}},
            f"pods.labels.{key}: the chart sets this label itself",
            "Remove it",
        )
        for key in (
            "app",
            "version",
            "sidecar.istio.io/inject",
            "app.kubernetes.io/instance",
            "service.istio.io/canonical-revision",
        )
    ),
    (
        {"pods": {"annotations": {"proxy.istio.io/config": "{}"}}},
        "pods.annotations.proxy.istio.io/config: the chart sets this annotation itself",
        "pods.proxyConfig",
    ),
    (
        path("workloads.app-service.replicas", 9),
        "workloads.app-service: up to 20 pods open ten connections each",
        "store.databaseUrl.existingSecret",
    ),
    (
        path("workloads.app-service.autoscaling", {"enabled": True, "maxReplicas": 12}),
        "workloads.app-service: up to 26 pods open ten connections each",
        "store.databaseUrl.existingSecret",
    ),
    (
        path("monitoring.scrapeInterval", "30s"),
        "monitoring.scrapeInterval: with 30s the alerts that look at one minute would see nothing",
        "at most 20s",
    ),
    (
        path("monitoring.evaluationInterval", "1m30s"),
        "monitoring.evaluationInterval: with 1m30s the alerts",
        "at most 60s",
    ),
    (
        path("traffic.timeout", "1m"),
        "traffic.timeout: a request may take 1m, but a pod that stops waits for 25s only",
        "pods.shutdownSeconds",
    ),
    (
        path("traffic.timeout", "25001ms"),
        "traffic.timeout: a request may take 25001ms",
        "pods.shutdownSeconds",
    ),
    *(
        (
            path(f"traffic.{key}", given),
            f"traffic.{key}: Istio takes no time of {given}",
            "at least 1ms",
        )
        for key, given in (
            ("timeout", "0s"),
            ("connectTimeout", "0.000s"),
            ("retries.backoff", "0ms"),
            ("outlierDetection.interval", "0m"),
            ("outlierDetection.baseEjectionTime", "0h"),
        )
    ),
    (
        path("traffic.connectTimeout", "60.001m"),
        "traffic.connectTimeout: 60.001m is longer than the hour",
        "at most 1h",
    ),
    (
        path(f"{CANARY}.env", {"MODEL_SERVICE_URL": "http://elsewhere"}),
        f"{CANARY}.env.MODEL_SERVICE_URL: the chart sets this variable itself",
        "Remove it",
    ),
    (
        path("workloads.app-service.env", {"PGSSLROOTCERT": "/x"}),
        "workloads.app-service.env.PGSSLROOTCERT: the chart sets this variable itself",
        "Remove it",
    ),
    (
        path("workloads.app-service.env", {"SERINUS_TRACK": "canary"}),
        "workloads.app-service.env.SERINUS_TRACK: the chart sets this variable itself",
        "Remove it",
    ),
    (
        path("workloads.model-service.autoscaling", {"enabled": True, "minReplicas": 9}),
        "workloads.model-service.autoscaling: minReplicas 9 is above maxReplicas 6",
        "Set minReplicas",
    ),
    (
        {
            "workloads": {
                "app-service": {
                    "autoscaling": {"enabled": True},
                    "resources": {"requests": {"cpu": None}},
                }
            }
        },
        "workloads.app-service.resources.requests.cpu: autoscaling aims at a percentage of it",
        "autoscaling.enabled=false",
    ),
    (
        {
            "workloads": {
                "app-service": {
                    "autoscaling": {"enabled": True},
                    "tracks": {"canary": {"resources": {"limits": {"memory": "1Gi"}}}},
                }
            }
        },
        "workloads.app-service.tracks.canary.resources.requests.cpu: autoscaling aims",
        "autoscaling.enabled=false",
    ),
    (
        {"api": {"expose": True}, "hosts": {"api": "app-frontend.k8s.local"}},
        "hosts.api: app-frontend.k8s.local is hosts.frontend too",
        "api.expose=false",
    ),
    (
        path("hosts.grafana", "app-frontend.k8s.local"),
        "hosts.grafana: app-frontend.k8s.local is another host of this release too",
        "leave it empty",
    ),
    (
        path("gateway.tls.enabled", True),
        "gateway.tls.credentialName: HTTPS needs a certificate",
        "in the namespace istio-system",
    ),
    (
        path("gateway.tls", {"enabled": True, "credentialName": "x", "port": 80}),
        "gateway.tls.port: 80 is gateway.port too",
        "different ports",
    ),
    *(
        (
            {
                "gateway": {
                    "port": plain,
                    "tls": {"enabled": True, "credentialName": "x", "port": tls},
                }
            },
            "gateway.tls.redirect: Envoy's redirect keeps the port that was asked, so it leads "
            f"from port 80 to 443 only, not from {plain} to {tls}",
            "gateway.tls.redirect=false",
        )
        for plain, tls in ((8080, 443), (80, 8443))
    ),
    (
        path("gateway.rateLimit.burst", 5),
        "gateway.rateLimit.burst: 5 is less than requestsPerSecond 20",
        "at least requestsPerSecond",
    ),
    (
        path("store.databaseUrl.existingSecret", "database"),
        "store.postgresql.enabled: store.databaseUrl.existingSecret names an external database",
        "store.postgresql.enabled=false",
    ),
    (
        path("store.sqlite.allow", True),
        "store.sqlite.allow: PostgreSQL is chosen too",
        "store.sqlite.allow=false",
    ),
    (
        path("store.postgresql.enabled", False),
        "store: no PostgreSQL is chosen, and SQLite can't be shared by pods on several nodes",
        "store.databaseUrl.existingSecret",
    ),
    (
        path("model.cache", {"type": "claim", "accessMode": "ReadWriteOnce"}),
        "model.cache.accessMode: a ReadWriteOnce claim can't be mounted by pods of two nodes",
        "model.cache.oneNode=true",
    ),
    (
        path(
            "model.cache",
            {"type": "claim", "accessMode": "ReadWriteOnce", "existingClaim": "cache"},
        ),
        "model.cache.accessMode: a ReadWriteOnce claim",
        "model.cache.oneNode=true",
    ),
    (
        path(
            "model.cache", {"existingClaim": "x", "persistentVolume": {"hostPath": {"path": "/x"}}}
        ),
        "model.cache.persistentVolume: a volume is made for the chart's own claim only",
        "Remove it",
    ),
    (
        path("model", {"registryClaim": "registry", "registry": "/elsewhere"}),
        "model.registry: /elsewhere does not lie in the claim",
        "model.registry=/registry",
    ),
    (
        path("secrets.unitKey", ""),
        "secrets.unitKey is not set, and no cluster is at hand",
        "secrets.existingSecret",
    ),
    (
        path("secrets.sessionKey", ""),
        "secrets.sessionKey is not set, and no cluster is at hand",
        "secrets.existingSecret",
    ),
    (
        path("store.postgresql.password", ""),
        "store.postgresql.password is not set, and no cluster is at hand",
        "store.postgresql.existingSecret",
    ),
]


@pytest.mark.parametrize(("wrong", "what", "remedy"), CHECKED, ids=[case[1] for case in CHECKED])
def test_a_check_names_the_path_and_the_remedy(
    wrong: dict[str, Any], what: str, remedy: str
) -> None:
    with pytest.raises(ChartError) as caught:
        render(wrong)
    assert caught.value.what.startswith(what)
    assert remedy in caught.value.remedy


@pytest.mark.parametrize("kind", ["labels", "annotations"])
def test_whatever_the_chart_sets_on_a_pod_is_refused(kind: str) -> None:
    owners = [*render().of("Deployment"), *render().of("StatefulSet")]
    keys = {key for item in owners for key in item.spec["template"]["metadata"][kind]}
    assert keys
    for key in keys:
        with pytest.raises(ChartError) as caught:
            render({"pods": {kind: {key: "x"}}})
        assert caught.value.what.startswith(f"pods.{kind}.{key}: the chart sets this")


REFUSED_BY_SCHEMA = [
    (path("hosts.frontent", "x"), "frontent"),
    (path("hosts.frontend", "Reviews Example"), "/hosts/frontend"),
    (path("rollout.weights.canary", 10.5), "/rollout/weights/canary"),
    (path("rollout.weights.canary", 101), "/rollout/weights/canary"),
    (path("rollout.epoch", 0), "/rollout/epoch"),
    (path("image.pullPolicy", "Sometimes"), "/image/pullPolicy"),
    *(
        (path("image.registry", wrong), "/image/registry")
        for wrong in ("https://registry.example.org", "registry.example.org//team", "r.org/Team")
    ),
    *(
        (path("monitoring.grafana.service", wrong), "/monitoring/grafana/service")
        for wrong in ("http://grafana", "grafana:3000", "*")
    ),
    (path(f"{CANARY}.image", None), "image"),
    (path(f"{CANARY}.image.repository", ""), "/workloads/app-service/tracks/canary/image"),
    (path(f"{CANARY}.env", {"SHOW_CONFIDENCE": True}), f"/{CANARY.replace('.', '/')}/env"),
    (path(f"{CANARY}.env", {"show-confidence": "true"}), f"/{CANARY.replace('.', '/')}/env"),
    (path("workloads.app-service.tracks.blue", {}), "blue"),
    (path("workloads.model-service.tracks.stable.model", None), "model"),
    (path("workloads.app-service.tracks.stable.model", {"name": "x"}), "model"),
    (path("workloads.app-service.replicas", 0), "/workloads/app-service/replicas"),
    (path("workloads.other", {}), "other"),
    (path("secrets.sessionKey", "short"), "/secrets/sessionKey"),
    (path("store.postgresql.password", "with spaces and @ signs"), "/store/postgresql/password"),
    (path("model.registry", "models"), "/model/registry"),
    (path("model.cache.size", "big"), "/model/cache/size"),
    (path("model.cache.accessMode", "ReadWriteOncePod"), "/model/cache/accessMode"),
    (path("traffic.timeout", "soon"), "/traffic/timeout"),
    (path("traffic.timeout", "1.5ms"), "/traffic/timeout"),
    (path("traffic.retries.backoff", "0.0005s"), "/traffic/retries/backoff"),
    (path("pods.proxyConfig", {"holdAplication": True}), "holdAplication"),
    (path(f"{CANARY}.image.digest", "sha256:0"), "/workloads/app-service/tracks/canary/image"),
    (path("policy.dnsPorts", []), "/policy/dnsPorts"),
    (path("pods.proxyConfig.proxyStatsMatcher", "mine"), "/pods/proxyConfig/proxyStatsMatcher"),
    (
        path("pods.proxyConfig.proxyStatsMatcher.inclusionRegexps", "mine"),
        "/pods/proxyConfig/proxyStatsMatcher/inclusionRegexps",
    ),
    *(
        (path("policy.externalCIDRs", [wrong]), "/policy/externalCIDRs/0")
        for wrong in ("10.0.0.0/33", "2001:db8::/129", "10.0.0/8", "10.0.0.0", "10.0.0.0/08")
    ),
    (path("policy.apiServerCIDRs", ["10.0.0.1"]), "/policy/apiServerCIDRs/0"),
    (path("policy.dnsCIDRs", ["169.254.20.10/64"]), "/policy/dnsCIDRs/0"),
    (path("policy.externalPeers", [{}]), "/policy/externalPeers/0"),
    (
        path("policy.externalPeers", [{"ipBlock": {"cidr": "::/0", "except": ["::/200"]}}]),
        "/policy/externalPeers/0/ipBlock/except/0",
    ),
    (path("policy.externalPeers", [{"podSelectr": {}}]), "podSelectr"),
    (path("gateway.port", 70000), "/gateway/port"),
    (path("gateway.rateLimit.exemptPaths", ["assets"]), "/gateway/rateLimit/exemptPaths/0"),
    (path("monitoring.meshMetrics", "linkerd"), "/monitoring/meshMetrics"),
]


@pytest.mark.parametrize(
    ("wrong", "place"), REFUSED_BY_SCHEMA, ids=[str(case[0]) for case in REFUSED_BY_SCHEMA]
)
def test_the_schema_names_the_path(wrong: dict[str, Any], place: str) -> None:
    with pytest.raises(ChartError, match="the values are refused") as caught:
        render(wrong)
    assert place in caught.value.what


def test_nothing_is_generated_anew_for_each_render() -> None:
    with pytest.raises(ChartError, match="no cluster is at hand"):
        helm.render(CHART, {}, namespace=NAMESPACE)
    first, second = (helm.render(CHART, values.merge(GIVEN)).manifest for _ in range(2))
    assert first == second


GIVEN = {
    "secrets": {"sessionKey": "s" * 20, "unitKey": "u" * 20},
    "store": {"postgresql": {"password": "p" * 20}},
}
