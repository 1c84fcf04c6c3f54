"""What the chart needs of a cluster, checked before anything is changed and all at once.

Enters: a cluster and the whole values. Leaves: problems, each with its remedy, or one
`ClusterError` that lists them. Called by `serinus.cluster.session`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from serinus.clients.kubernetes import Kubernetes
from serinus.errors import ClusterError

OLDEST: Final = (1, 30)
"""The API server's oldest version; Chart.yaml says the same."""
_DEFAULT_CLASS: Final = "storageclass.kubernetes.io/is-default-class"

_ISTIO: Final = (
    ("networking.istio.io/v1", ("Gateway", "VirtualService", "DestinationRule")),
    ("networking.istio.io/v1alpha3", ("EnvoyFilter",)),
    ("security.istio.io/v1", ("PeerAuthentication", "AuthorizationPolicy")),
)
_RESOURCES: Final = (
    ("", "configmaps"),
    ("", "secrets"),
    ("", "services"),
    ("", "serviceaccounts"),
    ("apps", "deployments"),
    ("networking.istio.io", "gateways"),
    ("networking.istio.io", "virtualservices"),
    ("networking.istio.io", "destinationrules"),
)
"""What every release writes; parts that values switch on are added to it."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something the cluster lacks, and what to do about it."""

    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}\n    {self.remedy}"


def check(cluster: Kubernetes, values: Mapping[str, Any]) -> None:
    """Raise one `ClusterError` that lists all that is missing."""
    found = list(problems(cluster, values))
    if found:
        raise ClusterError(
            "the cluster lacks what the chart needs:\n  " + "\n  ".join(map(str, found)),
            where=str(cluster),
            remedy="docs/kubernetes.md prepares a cluster from nothing",
        )


def problems(cluster: Kubernetes, values: Mapping[str, Any]) -> Iterator[Problem]:
    """All that is missing; raises `ClusterError` only where the API server doesn't answer."""
    version = cluster.version()
    if version < OLDEST:
        yield Problem(
            f"the API server is {version[0]}.{version[1]}, older than {OLDEST[0]}.{OLDEST[1]}",
            "upgrade the cluster; pods need preStop sleeps to stop without a lost request",
        )
    yield from _istio(cluster, values)
    if values["monitoring"]["enabled"]:
        yield from _monitoring(cluster, values["monitoring"])
    if needed := claims(values):
        yield from _storage(cluster, needed)
    yield from _permissions(cluster, values)


def claims(values: Mapping[str, Any]) -> list[str]:
    """Values whose claims need the cluster's default storage class."""
    volumes = {
        "store.postgresql": (values["store"]["postgresql"], "enabled", True),
        "model.cache": (values["model"]["cache"], "type", "claim"),
    }
    return [
        path
        for path, (part, switch, on) in volumes.items()
        if part.get(switch) == on
        and not (
            part.get("storageClassName")
            or part.get("existingClaim")
            or part.get("persistentVolume")
        )
    ]


def _istio(cluster: Kubernetes, values: Mapping[str, Any]) -> Iterator[Problem]:
    missing = _missing(cluster, _ISTIO)
    if missing:
        yield Problem(
            f"Istio's kinds {', '.join(missing)}",
            "install Istio 1.24 or newer with sidecars: istioctl install --set profile=default",
        )
        return
    namespace = values["policy"]["istioNamespace"]
    if not cluster.allowed("list", "apps", "deployments", namespace):
        return  # Its health is for others to see; a broken one shows in pods that never start.
    running = cluster.workloads({"app": "istiod"}, namespace)
    if not any(item.status and getattr(item.status, "readyReplicas", 0) for item in running):
        yield Problem(
            f"a ready istiod in namespace {namespace}",
            f"kubectl -n {namespace} get pods -l app=istiod tells why; "
            "policy.istioNamespace names another namespace",
        )


def _monitoring(cluster: Kubernetes, values: Mapping[str, Any]) -> Iterator[Problem]:
    kinds: list[tuple[str, tuple[str, ...]]] = [
        ("monitoring.coreos.com/v1", ("ServiceMonitor", "PodMonitor", "PrometheusRule"))
    ]
    if values["alertmanager"]["recipient"]:
        kinds.append(("monitoring.coreos.com/v1alpha1", ("AlertmanagerConfig",)))
    if missing := _missing(cluster, kinds):
        yield Problem(
            f"the Prometheus operator's kinds {', '.join(missing)}",
            "install kube-prometheus-stack, or go without: --set monitoring.enabled=false",
        )


def _storage(cluster: Kubernetes, needed: list[str]) -> Iterator[Problem]:
    found = cluster.object("/apis/storage.k8s.io/v1/storageclasses") or {}
    for item in found.get("items", ()):
        if (item["metadata"].get("annotations") or {}).get(_DEFAULT_CLASS) == "true":
            return
    names = ", ".join(item["metadata"]["name"] for item in found.get("items", ())) or "none"
    yield Problem(
        f"a default storage class, for {' and '.join(needed)} (classes: {names})",
        f"mark one as default, or set {needed[0]}.storageClassName",
    )


def _permissions(cluster: Kubernetes, values: Mapping[str, Any]) -> Iterator[Problem]:
    asked: list[tuple[str, str, str, str | None]] = [
        ("create", group, resource, cluster.namespace) for group, resource in _RESOURCES
    ]
    policy, gateway = values["policy"], values["gateway"]
    if policy["mesh"]:
        asked += [
            ("create", "security.istio.io", name, cluster.namespace)
            for name in ("peerauthentications", "authorizationpolicies")
        ]
    if policy["network"]:
        asked.append(("create", "networking.k8s.io", "networkpolicies", cluster.namespace))
    if values["monitoring"]["enabled"]:
        asked += [
            ("create", "monitoring.coreos.com", name, cluster.namespace)
            for name in ("servicemonitors", "prometheusrules")
        ]
    if gateway["rateLimit"]["enabled"]:
        asked.append(("create", "networking.istio.io", "envoyfilters", gateway["namespace"]))
    if gateway["checkHosts"]:
        asked.append(("list", "networking.istio.io", "gateways", None))
    refused = [item for item in asked if not cluster.allowed(*item)]
    switches = {
        "envoyfilters": "gateway.rateLimit.enabled=false goes without",
        "servicemonitors": "monitoring.enabled=false goes without",
    }
    for verb, _, resource, namespace in refused:
        place = f"in namespace {namespace}" if namespace else "in all namespaces"
        remedy = switches.get(resource, "")
        if verb == "list":
            remedy = "gateway.checkHosts=false goes without"
        yield Problem(
            f"the right to {verb} {resource} {place}",
            "ask the cluster's owner for it" + (f"; {remedy}" if remedy else ""),
        )


def _missing(
    cluster: Kubernetes, kinds: tuple[tuple[str, tuple[str, ...]], ...] | list[Any]
) -> list[str]:
    return [
        kind
        for group_version, names in kinds
        for kind in names
        if not cluster.serves(group_version, kind)
    ]
