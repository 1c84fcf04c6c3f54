"""Evaluates NetworkPolicies and AuthorizationPolicies as a cluster would.

Enters: rendered objects and one connection. Leaves: whether it is allowed. Called by test_policies.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from serinus.manifests import Index
from tests.chart.support import selected

NAMESPACE_NAME = "kubernetes.io/metadata.name"


@dataclass(frozen=True)
class End:
    """A pod (`namespace` and labels), or an address outside of the cluster."""

    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    address: str = ""

    @property
    def namespace_labels(self) -> dict[str, str]:
        return {NAMESPACE_NAME: self.namespace}


def _lies_in(address: str, cidr: str) -> bool:
    return bool(address) and ipaddress.ip_address(address) in ipaddress.ip_network(cidr)


def _takes(peer: Mapping[str, Any], end: End, own_namespace: str) -> bool:
    if block := peer.get("ipBlock"):
        closed = block.get("except", ())
        return _lies_in(end.address, block["cidr"]) and not any(
            _lies_in(end.address, cidr) for cidr in closed
        )
    if end.address:
        return False
    if "namespaceSelector" in peer:
        if not selected(peer["namespaceSelector"].get("matchLabels", {}), end.namespace_labels):
            return False
    elif end.namespace != own_namespace:
        return False
    return selected(peer.get("podSelector", {}).get("matchLabels", {}), end.labels)


def _side(index: Index, direction: str, own: End, other: End, protocol: str, port: int) -> bool:
    policies = [
        item
        for item in index.of("NetworkPolicy")
        if direction in item.spec["policyTypes"]
        and item.namespace == own.namespace
        and selected(item.spec["podSelector"].get("matchLabels", {}), own.labels)
    ]
    if not policies:
        return True
    key, peers = ("ingress", "from") if direction == "Ingress" else ("egress", "to")
    return any(
        any(_takes(peer, other, own.namespace) for peer in rule[peers])
        and (
            "ports" not in rule
            or any(e["port"] == port and e["protocol"] == protocol for e in rule["ports"])
        )
        for item in policies
        for rule in item.spec.get(key, ())
    )


def connects(index: Index, source: End, target: End, port: int, protocol: str = "TCP") -> bool:
    """Whether the NetworkPolicies let `source` connect to `port` of `target`."""
    return _side(index, "Egress", source, target, protocol, port) and _side(
        index, "Ingress", target, source, protocol, port
    )


def _matches(values: Sequence[str] | None, value: str) -> bool:
    return values is None or value in values


def authorized(
    index: Index,
    target: Mapping[str, str],
    port: int,
    principal: str = "",
    method: str = "GET",
    path: str = "/",
) -> bool:
    """Whether the AuthorizationPolicies (all of them ALLOW) let a request through."""
    policies = [
        item
        for item in index.of("AuthorizationPolicy")
        if selected(item.spec.get("selector", {}).get("matchLabels", {}), target)
    ]
    if not policies:
        return True
    for item in policies:
        for rule in item.spec.get("rules", ()):
            sources = [entry["source"] for entry in rule.get("from", ())]
            from_ = not sources or any(_matches(s.get("principals"), principal) for s in sources)
            operations = [entry["operation"] for entry in rule.get("to", ())]
            to = not operations or any(
                _matches(o.get("ports"), str(port))
                and _matches(o.get("methods"), method)
                and _matches(o.get("paths"), path)
                for o in operations
            )
            if from_ and to:
                return True
    return False
