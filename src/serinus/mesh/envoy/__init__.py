"""Compiles a topology and a placement into the files of one real Envoy.

Enters: `Topology` (what the chart says) and `Placement` (where things listen). Leaves: `Resources`,
the texts of bootstrap, clusters, endpoints, routes and listeners. Called by `serinus.local`, which
writes them by atomic rename; Envoy follows the files by itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from serinus.errors import MeshError
from serinus.mesh.envoy import names
from serinus.mesh.envoy.bootstrap import bootstrap
from serinus.mesh.envoy.clusters import assignment, cluster
from serinus.mesh.envoy.listeners import gateway_listener, outbound_listener
from serinus.mesh.envoy.routes import route_configuration
from serinus.mesh.placement import GATEWAY, Placement
from serinus.mesh.topology import Topology
from serinus.mesh.view import VirtualHost, gateway_hosts, outbound_host, targets_of

__all__ = ["Resources", "compile"]


@dataclass(frozen=True, slots=True)
class Resources:
    """Texts by path below `Placement.directory`, in the order in which they are to be written."""

    files: dict[str, str]

    def changes(self, before: Resources | None = None) -> list[tuple[str, str]]:
        """What to write to get here, in order: endpoints, clusters, routes, listeners.

        Clusters that go away are written out last, when no route names them any longer. A path may
        come twice.
        """
        old = before.files if before else {}
        changed = [(path, text) for path, text in self.files.items() if old.get(path) != text]
        if names.CDS not in old or old[names.CDS] == self.files[names.CDS]:
            return changed
        both = _union(old[names.CDS], self.files[names.CDS])
        if both == self.files[names.CDS]:
            return changed
        first = [(path, both if path == names.CDS else text) for path, text in changed]
        return [*first, (names.CDS, self.files[names.CDS])]

    @property
    def watches(self) -> int:
        """How many files Envoy watches: each costs it one inotify instance.

        Endpoints that several clusters share are watched by each of them.
        """
        routes = sum(path.startswith("rds/") for path in self.files)
        return len(json.loads(self.files[names.CDS])["resources"]) + routes + 2

    def removed(self, before: Resources) -> list[str]:
        """Paths to delete, after all changes are written."""
        return [path for path in before.files if path not in self.files]


def compile(topology: Topology, placement: Placement) -> Resources:  # noqa: A001
    """The configuration of the gateway and of every caller's outbound side.

    Raises `MeshError` for gateways on several ports or with TLS, a filter without its place, and an
    outbound listener for a Service that is not rendered. Equal inputs give equal bytes.
    """
    routes: dict[str, dict[str, Any]] = {}
    listeners, clusters, targets = [], {}, set()

    def proxy(name: str, source: str, hosts: list[VirtualHost]) -> None:
        routes[name] = route_configuration(name, hosts, topology, source)
        # Only what its rules name: each cluster costs a watch and a page of statistics.
        for target in targets_of(topology, hosts):
            targets.add(target)
            made = cluster(topology, target, source, placement.directory)
            clusters[made["name"]] = made

    for server in (server for gateway in topology.gateways for server in gateway.servers):
        if server.secure or server.redirect:
            raise MeshError(
                "TLS at the gateway is not covered on one machine",
                where=str(server.origin),
                remedy="set `gateway.tls` to be off in the values of this run",
            )
    if placement.gateway:
        proxy(GATEWAY, GATEWAY, gateway_hosts(topology))
        listeners.append(gateway_listener(placement, topology.filters))
    for outbound in placement.outbound:
        called = topology.service(outbound.service)
        if called is None:
            raise MeshError(
                f"no Service named {outbound.service} is rendered", where=str(outbound.caller)
            )
        source = str(outbound.caller)
        host = outbound_host(topology, called, outbound.caller.labels)
        proxy(names.outbound(source, outbound.service), source, [host])
        listeners.append(outbound_listener(placement, outbound))

    files = {names.BOOTSTRAP: _text(bootstrap(placement))}
    for target in sorted(targets):
        made = assignment(topology, target, placement.endpoints)
        files[names.eds_path(made["cluster_name"])] = _resources([made])
    files[names.CDS] = _resources([clusters[name] for name in sorted(clusters)])
    for name, configuration in routes.items():
        files[names.rds_path(name)] = _resources([configuration])
    files[names.LDS] = _resources(listeners)
    return Resources(files)


def _resources(found: list[dict[str, Any]]) -> str:
    return _text({"resources": found})


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def _union(old: str, new: str) -> str:
    wanted = json.loads(new)["resources"]
    present = {item["name"] for item in wanted}
    kept = [item for item in json.loads(old)["resources"] if item["name"] not in present]
    return _resources([*wanted, *kept]) if kept else new
