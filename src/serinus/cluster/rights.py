"""The rights that a release needs, worked out from its values, and which of them are missing.

Enters: the whole values, and those of the revision in force. Leaves: `Right`s, the needed ones as a
pure value and the refused ones as the API server tells them (SelfSubjectAccessReview). Called by
`serinus.cluster.prerequisites`. docs/kubernetes/ holds the same rights as Roles to apply; a unit
test keeps chart, this table and those files together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple

from serinus.clients.kubernetes import Kubernetes

WRITES: Final = ("get", "create", "patch", "delete")
"""What Helm does to an object of a release."""
_AT_ONCE: Final = 8
"""Questions in flight: some eighty of them, one after the other, would take seconds afar."""

_ISTIO: Final = "networking.istio.io"
_SECURITY: Final = "security.istio.io"
_OPERATOR: Final = "monitoring.coreos.com"


class Resource(NamedTuple):
    """A kind as the API server's paths name it, and where; `namespace` None is the cluster."""

    group: str
    name: str
    namespace: str | None


class Right(NamedTuple):
    """One verb on one resource."""

    verb: str
    resource: Resource


def needed(values: Mapping[str, Any], namespace: str) -> list[Right]:
    """All rights that an install, a change and a rollback with these values take."""
    found = [Right(verb, one) for one in written(values, namespace) for verb in WRITES]
    # Helm keeps its revisions in Secrets, and rewrites the one that it replaces.
    found += [Right(verb, Resource("", "secrets", namespace)) for verb in ("list", "update")]
    # The chart asks whether the namespace is in ambient mode.
    found.append(Right("get", Resource("", "namespaces", namespace)))
    if _at(values, "store.postgresql.enabled"):
        # And whether a database is there already, whose claim the StatefulSet made.
        found.append(Right("get", Resource("", "persistentvolumeclaims", namespace)))
    found += [
        Right("list", Resource(group, name, namespace))
        for group, name in (
            ("", "pods"),
            ("apps", "deployments"),
            ("apps", "statefulsets"),
            (_ISTIO, "virtualservices"),
        )
    ]
    if _at(values, "gateway.checkHosts"):
        found.append(Right("list", Resource(_ISTIO, "gateways", None)))
    return found


def written(values: Mapping[str, Any], namespace: str) -> list[Resource]:
    """Every resource of which the chart makes objects with these values."""
    names = [
        ("", "configmaps"),
        ("", "secrets"),
        ("", "services"),
        ("", "serviceaccounts"),
        ("apps", "deployments"),
        ("policy", "poddisruptionbudgets"),
        (_ISTIO, "gateways"),
        (_ISTIO, "virtualservices"),
        (_ISTIO, "destinationrules"),
        *_switched(values),
    ]
    found = [Resource(group, name, namespace) for group, name in names]
    if _at(values, "gateway.rateLimit.enabled"):
        found.append(Resource(_ISTIO, "envoyfilters", _at(values, "gateway.namespace")))
    if any(volume.get("persistentVolume") for volume in _claims(values)):
        found.append(Resource("", "persistentvolumes", None))
    return found


def _switched(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Groups and resources in the release's namespace that a value switches on."""
    if _at(values, "store.postgresql.enabled"):
        yield "apps", "statefulsets"
    if _claims(values):
        yield "", "persistentvolumeclaims"
    workloads = (_at(values, "workloads") or {}).values()
    if any(_at(workload, "autoscaling.enabled") for workload in workloads):
        yield "autoscaling", "horizontalpodautoscalers"
    if _at(values, "policy.network"):
        yield "networking.k8s.io", "networkpolicies"
    if _at(values, "policy.mesh"):
        yield _SECURITY, "peerauthentications"
        yield _SECURITY, "authorizationpolicies"
    if _at(values, "monitoring.enabled"):
        yield _OPERATOR, "servicemonitors"
        yield _OPERATOR, "podmonitors"
        yield _OPERATOR, "prometheusrules"
        if _at(values, "monitoring.alertmanager.recipient"):
            yield _OPERATOR, "alertmanagerconfigs"


def _claims(values: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Volumes for which the chart makes a claim of its own, beside PostgreSQL's StatefulSet."""
    cache, sqlite = _at(values, "model.cache") or {}, _at(values, "store.sqlite") or {}
    found = [cache] if cache.get("type") == "claim" else []
    if sqlite.get("allow"):
        found.append(sqlite)
    return [volume for volume in found if not volume.get("existingClaim")]


def _at(values: Mapping[str, Any], path: str) -> Any:
    """A value by its path; None where a chart, such as that of an old revision, has no such one."""
    found: Any = values
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def taken_away(
    values: Mapping[str, Any], before: Mapping[str, Any], namespace: str
) -> list[Resource]:
    """Resources of which the revision in force has objects and the next one has none."""
    stays = set(written(values, namespace))
    return [one for one in written(before, namespace) if one not in stays]


def refused(cluster: Kubernetes, rights: Iterable[Right]) -> list[Right]:
    """Those of the rights that this user lacks, in their order."""
    if cluster.allowed("*", "*", "*", None):
        return []  # An administrator, told by one question.
    asked = list(dict.fromkeys(rights))

    def allowed(right: Right) -> bool:
        group, name, namespace = right.resource
        return cluster.allowed(right.verb, group, name, namespace)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return [right for right, held in zip(asked, pool.map(allowed, asked), strict=True)
                if not held]  # fmt: skip
