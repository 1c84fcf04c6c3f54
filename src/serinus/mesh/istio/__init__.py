"""Reads the rendered chart's traffic objects into the neutral topology.

Enters: `serinus.manifests.Index`. Leaves: `Topology`, checked: whatever a rule names exists. Called
by `serinus.local` and `serinus.cli.mesh`. Kinds that say nothing about traffic are left to others.
"""

from __future__ import annotations

from dataclasses import replace

from serinus.errors import MeshError
from serinus.manifests import Index, Object
from serinus.mesh.istio.destination_rule import destination_rule
from serinus.mesh.istio.destination_rule import service as read_service
from serinus.mesh.istio.gateway import envoy_filter, gateway
from serinus.mesh.istio.virtual_service import virtual_service
from serinus.mesh.topology import MESH, Destination, Service, Topology, VirtualService

__all__ = ["read"]

_NOT_COVERED = ("ServiceEntry", "Sidecar", "WorkloadEntry", "WorkloadGroup", "ProxyConfig")


def read(index: Index, namespace: str = "default", *, elsewhere: bool = False) -> Topology:
    """The topology of a rendered chart; `namespace` is that of objects which name none.

    Raises `MeshError` for what is not covered, and for a rule that names a Service, port, subset or
    Gateway which is not rendered. With `elsewhere` a Service may be another release's.
    """
    for kind in _NOT_COVERED:
        for item in index.of(kind):
            raise MeshError("is not covered by the mesh compiler", where=item.where())
    gateways = tuple(gateway(item, namespace) for item in _istio(index, "Gateway"))
    selectors = {item.selector for item in gateways}
    topology = Topology(
        gateways=gateways,
        virtual_services=tuple(
            virtual_service(item, namespace) for item in _istio(index, "VirtualService")
        ),
        services=_services(index, namespace),
        filters=tuple(
            patch
            for item in sorted(index.of("EnvoyFilter"), key=_priority)
            for patch in envoy_filter(item, selectors)
        ),
        namespace=namespace,
    )
    for rules in topology.virtual_services:
        _check(topology, rules, elsewhere=elsewhere)
    return topology


def _istio(index: Index, kind: str) -> list[Object]:
    """Istio's objects of a kind: the Gateway API has kinds of the same name."""
    return [item for item in index.of(kind) if item.api_version.startswith("networking.istio.io/")]


def _priority(item: Object) -> int:
    value = item.at("spec", "priority", default=0)
    if not isinstance(value, int):
        raise MeshError("must be a whole number", where=item.where("spec", "priority"))
    return value


def _services(index: Index, namespace: str) -> tuple[Service, ...]:
    found = {item.name: read_service(item, namespace) for item in index.of("Service")}
    for item in _istio(index, "DestinationRule"):
        host, policy, subsets = destination_rule(item)
        name = host.split(".")[0]
        if name not in found:
            raise MeshError(
                f"no Service named {name} is rendered", where=item.where("spec", "host")
            )
        if found[name].subsets or found[name].policy != type(policy)():
            raise MeshError(
                f"the host {host} has a DestinationRule already", where=item.where("spec", "host")
            )
        found[name] = replace(found[name], policy=policy, subsets=subsets)
    return tuple(found.values())


def _check(topology: Topology, item: VirtualService, *, elsewhere: bool) -> None:
    names = {gateway.name for gateway in topology.gateways} | {MESH}
    for name in item.gateways:
        if name.rpartition("/")[2] not in names:
            raise MeshError(f"no Gateway named {name} is rendered", where=str(item.origin))
    for rule in item.rules:
        for destination in (*rule.destinations, *(mirror.destination for mirror in rule.mirrors)):
            if not (elsewhere and topology.service(destination.host) is None):
                _check_destination(topology, destination)


def _check_destination(topology: Topology, destination: Destination) -> None:
    where = str(destination.origin)
    target = topology.service(destination.host)
    if target is None:
        raise MeshError(f"no Service named {destination.host} is rendered", where=where)
    if topology.port(target, destination) is None:
        raise MeshError(
            f"the Service {target.name} has no port {destination.port or ''}".rstrip(),
            where=where,
            remedy="a destination without a port needs a Service with one port only",
        )
    if destination.subset and destination.subset not in {item.name for item in target.subsets}:
        raise MeshError(
            f"the DestinationRule of {target.name} has no subset {destination.subset}", where=where
        )
