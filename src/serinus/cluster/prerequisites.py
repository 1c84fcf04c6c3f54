"""What the chart needs of a cluster, checked before anything is changed and all at once.

Enters: a cluster and the whole values. Leaves: problems, each with its remedy, or one
`ClusterError` that lists them. Called by `serinus.cluster.session`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lightkube.resources.apps_v1 import Deployment, StatefulSet

from serinus.clients.kubernetes import Kubernetes
from serinus.cluster import rights
from serinus.errors import ClusterError

OLDEST: Final = (1, 30)
"""The API server's oldest version; Chart.yaml says the same."""
OLDEST_ISTIO: Final = (1, 26)
"""The first whose Envoy (1.34) keeps a bucket of the rate limit for each address."""
_DEFAULT_CLASS: Final = "storageclass.kubernetes.io/is-default-class"

_ISTIO: Final = (
    ("networking.istio.io/v1", ("Gateway", "VirtualService", "DestinationRule")),
    ("networking.istio.io/v1alpha3", ("EnvoyFilter",)),
    ("security.istio.io/v1", ("PeerAuthentication", "AuthorizationPolicy")),
)
_SWITCHES: Final = {
    "envoyfilters": "gateway.rateLimit.enabled=false goes without",
    "persistentvolumes": "an existingClaim in place of the persistentVolume goes without",
    "horizontalpodautoscalers": "autoscaling.enabled=false goes without",
    "networkpolicies": "policy.network=false goes without",
    "peerauthentications": "policy.mesh=false goes without",
    "authorizationpolicies": "policy.mesh=false goes without",
    "servicemonitors": "monitoring.enabled=false goes without",
    "podmonitors": "monitoring.enabled=false goes without",
    "prometheusrules": "monitoring.enabled=false goes without",
    "alertmanagerconfigs": "an empty monitoring.alertmanager.recipient goes without",
}
"""How to do without the right to write a resource."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something the cluster lacks, and what to do about it."""

    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}\n    {self.remedy}"


def check(
    cluster: Kubernetes, values: Mapping[str, Any], before: Mapping[str, Any] | None = None
) -> None:
    """Raise one `ClusterError` that lists all that is missing for a change from `before`."""
    _refuse(
        cluster,
        problems(cluster, values, before),
        "the cluster lacks what the chart needs",
        "docs/kubernetes.md prepares a cluster from nothing, and has the Roles to apply",
    )


def check_rights(
    cluster: Kubernetes, values: Mapping[str, Any], before: Mapping[str, Any] | None = None
) -> None:
    """The same for rights alone: a change of the rollout must not wait for a sick istiod."""
    _refuse(
        cluster,
        _permissions(cluster, values, before),
        "this user may not do what it takes",
        "docs/kubernetes.md has the Roles to apply",
    )


def _refuse(cluster: Kubernetes, lacking: Iterator[Problem], what: str, remedy: str) -> None:
    found = list(lacking)
    if found:
        raise ClusterError(
            f"{what}:\n  " + "\n  ".join(map(str, found)), where=str(cluster), remedy=remedy
        )


def problems(
    cluster: Kubernetes, values: Mapping[str, Any], before: Mapping[str, Any] | None = None
) -> Iterator[Problem]:
    """All that is missing; raises `ClusterError` only where the API server doesn't answer."""
    version = cluster.version()
    if version < OLDEST:
        yield Problem(
            f"the API server is {_dotted(version)}, older than {_dotted(OLDEST)}",
            "upgrade the cluster; pods need preStop sleeps to stop without a lost request",
        )
    yield from _istio(cluster, values)
    if values["monitoring"]["enabled"]:
        yield from _monitoring(cluster, values["monitoring"])
    if needed := claims(values):
        yield from _storage(cluster, needed)
    yield from _permissions(cluster, values, before)


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
            f"install Istio {_dotted(OLDEST_ISTIO)} or newer with sidecars: "
            "istioctl install --set profile=default",
        )
        return
    namespace = values["policy"]["istioNamespace"]
    kinds = ("deployments", "statefulsets")
    if not all(cluster.allowed("list", "apps", kind, namespace) for kind in kinds):
        return  # Its health is for others to see; a broken one shows in pods that never start.
    running = cluster.workloads({"app": "istiod"}, namespace)
    ready = [item for item in running if getattr(item.status, "readyReplicas", 0)]
    if not ready:
        yield Problem(
            f"a ready istiod in namespace {namespace}",
            f"kubectl -n {namespace} get pods -l app=istiod tells why; "
            "policy.istioNamespace names another namespace",
        )
    if (version := istio_version(ready)) and version < OLDEST_ISTIO:
        yield Problem(
            f"Istio {_dotted(OLDEST_ISTIO)} or newer; {_dotted(version)} runs",
            "upgrade Istio; an older proxy counts all addresses of the rate limit together",
        )


def istio_version(running: Iterable[Deployment | StatefulSet]) -> tuple[int, int] | None:
    """The newest that these istiods' images name; None where a tag is of the user's own making."""
    pods = [item.spec.template.spec for item in running if item.spec]
    images = [
        container.image or ""
        for pod in pods
        if pod
        for container in pod.containers
        if container.name == "discovery"
    ]
    found = [re.search(r":v?(\d+)\.(\d+)(?:[.-][^/]*)?$", image) for image in images]
    return max(((int(one[1]), int(one[2])) for one in found if one), default=None)


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
    if not cluster.allowed("list", "storage.k8s.io", "storageclasses", None):
        return  # For others to see; a claim without a class shows in a pod that is not scheduled.
    found = cluster.object("/apis/storage.k8s.io/v1/storageclasses") or {}
    for item in found.get("items", ()):
        if (item["metadata"].get("annotations") or {}).get(_DEFAULT_CLASS) == "true":
            return
    names = ", ".join(item["metadata"]["name"] for item in found.get("items", ())) or "none"
    yield Problem(
        f"a default storage class, for {' and '.join(needed)} (classes: {names})",
        f"mark one as default, or set {needed[0]}.storageClassName",
    )


def _permissions(
    cluster: Kubernetes, values: Mapping[str, Any], before: Mapping[str, Any] | None
) -> Iterator[Problem]:
    asked = rights.needed(values, cluster.namespace)
    gone = rights.taken_away(values, before, cluster.namespace) if before is not None else []
    asked += [rights.Right(verb, one) for one in gone for verb in ("get", "delete")]
    lacking = rights.refused(cluster, asked)
    at_home = rights.Right("get", rights.Resource("", "namespaces", cluster.namespace))
    if at_home not in lacking and cluster.object(f"/api/v1/namespaces/{cluster.namespace}") is None:
        lacking += rights.refused(
            cluster, [rights.Right("create", rights.Resource("", "namespaces", None))]
        )
    # One line for what has the same verbs, place and remedy: a user without any right would have
    # to read eighty otherwise.
    verbs: dict[rights.Resource, list[str]] = {}
    for right in lacking:
        verbs.setdefault(right.resource, []).append(right.verb)
    lines: dict[tuple[str, str | None, str], list[str]] = {}
    for resource, held in verbs.items():
        key = (_listed(held), resource.namespace, _goes_without(resource, held, resource in gone))
        lines.setdefault(key, []).append(resource.name)
    for (what, namespace, remedy), names in lines.items():
        place = f"in namespace {namespace}" if namespace else "in all namespaces"
        yield Problem(f"the right to {what} {_listed(names)} {place}", remedy)


def _goes_without(resource: rights.Resource, verbs: list[str], gone: bool) -> str:
    """What to do about a missing right."""
    told = ["ask the cluster's owner for it"]
    if gone:
        told.append("the revision in force has what the new one takes away")
    elif resource == ("networking.istio.io", "gateways", None):
        told.append("gateway.checkHosts=false goes without")
    elif resource == ("", "namespaces", None):
        told.append("the namespace does not exist yet; the owner can create it too")
    elif resource.name in _SWITCHES and set(verbs) & set(rights.WRITES):
        told.append(_SWITCHES[resource.name])
    return "; ".join(told)


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))


def _listed(words: list[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def _missing(
    cluster: Kubernetes, kinds: tuple[tuple[str, tuple[str, ...]], ...] | list[Any]
) -> list[str]:
    return [
        kind
        for group_version, names in kinds
        for kind in names
        if not cluster.serves(group_version, kind)
    ]
