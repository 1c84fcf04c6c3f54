"""What one proxy sees of the topology: its virtual hosts and their routes, in order.

Enters: a topology and a proxy (the gateway, or one caller's outbound side). Leaves: `VirtualHost`
records in which `gateways` and `sourceLabels` are resolved, as Istio resolves them when it makes a
proxy's configuration. Read by `serinus.mesh.envoy` and by `serinus.mesh.explain`, so that both
decide from the same list.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from serinus.errors import MeshError
from serinus.mesh.matching import holds
from serinus.mesh.topology import (
    MESH,
    Destination,
    Gateway,
    HeaderMatch,
    Headers,
    Labels,
    Match,
    Origin,
    Rule,
    Service,
    Topology,
    VirtualService,
    names,
)


class Target(NamedTuple):
    """Some pods of a Service, by one of its ports; an empty subset is all of them."""

    service: str
    port: int
    subset: str


@dataclass(frozen=True, slots=True)
class Route:
    """One match (None: every request) of one rule."""

    rule: Rule
    match: Match | None
    authority: str = ""

    @property
    def headers(self) -> tuple[HeaderMatch, ...]:
        """What the request's headers must fulfil; a known authority is decided already."""
        found = self.match.headers if self.match else ()
        return tuple(h for h in found if not (self.authority and h.name == ":authority"))

    @property
    def name(self) -> str:
        """The rule's name, and the match's after a dot; Istio's own form."""
        parts = [self.rule.name, self.match.name if self.match else ""]
        return ".".join(part for part in parts if part)

    @property
    def origin(self) -> Origin:
        """The match that decides, or the rule that has none."""
        return self.match.origin if self.match else self.rule.origin

    @property
    def catches_all(self) -> bool:
        """Whether no request passes it by."""
        if (match := self.match) is None:
            return True
        if self.headers or match.query:
            return False
        uri = match.uri
        return uri is None or (uri.kind, uri.value) in {("prefix", "/"), ("regex", ".*")}


@dataclass(frozen=True, slots=True)
class VirtualHost:
    """Host names (lower case, no ports; `*` for any) and what happens to requests for them.

    `authority` is set on a caller's outbound side: the Service that the listener stands for.
    """

    name: str
    domains: tuple[str, ...]
    routes: tuple[Route, ...]
    authority: str = ""


def gateway_hosts(topology: Topology, *, secure: bool = False) -> list[VirtualHost]:
    """The gateway's virtual hosts over HTTP, or HTTPS where `secure`, by name.

    Hosts that no server and rule share are absent, and a server that redirects to HTTPS has none.
    Raises `MeshError` for several ports.
    """
    found: dict[str, list[Route]] = {}
    ports = set()
    for gateway in topology.gateways:
        for server in gateway.servers:
            if server.secure != secure or server.redirect:
                continue
            ports.add(server.port)
            if len(ports) > 1:
                raise MeshError(
                    "gateways on several ports are not covered", where=str(server.origin)
                )
            for item in topology.virtual_services:
                if not _bound(item, gateway):
                    continue
                proxy = _Proxy(
                    frozenset({gateway.name, _full(gateway)}), gateway.selector, server.port
                )
                routes = tuple(_routes(item, proxy))
                for host in _intersection(server.hosts, item, gateway.namespace):
                    found.setdefault(host, []).extend(routes)
    return [
        VirtualHost(host, (host,), tuple(_catch_all_last(routes)))
        for host, routes in sorted(found.items())
    ]


def outbound_host(topology: Topology, service: Service, labels: Mapping[str, str]) -> VirtualHost:
    """What a caller with these labels meets when it calls a Service.

    Without a VirtualService for it, one route to all of the Service's pods. Raises `MeshError` when
    the Service has several ports and none is 80.
    """
    all_names = names(service)
    routes: list[Route] = []
    port = topology.port(service)
    if port is None:
        raise MeshError("has several ports and none is 80", where=str(service.origin))
    proxy = _Proxy(frozenset({MESH}), tuple(labels.items()), port.port, service.name)
    for item in topology.virtual_services:
        if MESH in item.gateways and any(host.lower() in all_names for host in item.hosts):
            routes += _routes(item, proxy)
            break
    else:
        default = Destination(service.origin, service.name)
        routes.append(Route(Rule(service.origin, "default", destinations=(default,)), None))
    return VirtualHost(service.name, all_names, tuple(routes), service.name)


def redirected(topology: Topology, host: str) -> bool:
    """Does the gateway send HTTP for this host name, without its port, to HTTPS?"""
    return any(
        _covers(domain, host)
        for gateway in topology.gateways
        for server in gateway.servers
        if server.redirect
        for domain in (name.rpartition("/")[2].lower() for name in server.hosts)
    )


def merged_headers(route: Route) -> tuple[Headers, Headers]:
    """Request and response operations of the route itself, with a single destination's in them.

    Envoy runs a weighted destination's operations first and the route's after them; a single
    destination's are merged into the route's, removals first.
    """
    rule = route.rule
    request, response = rule.headers.request, rule.headers.response
    if len(rule.destinations) == 1:
        only = rule.destinations[0].headers
        return request.then(only.request), response.then(only.response)
    return request, response


def weighted(route: Route) -> tuple[Destination, ...]:
    """The destinations that get requests: several share by weight, and weight 0 gets none."""
    found = route.rule.destinations
    return found if len(found) == 1 else tuple(item for item in found if item.weight)


def targets_of(topology: Topology, hosts: Iterable[VirtualHost]) -> list[Target]:
    """Every target that a rule of these hosts can send to, in order of names.

    A destination of weight 0 counts, so that a new weight needs routes alone.
    """
    found = set()
    for host in hosts:
        for route in host.routes:
            mirrored = (mirror.destination for mirror in route.rule.mirrors)
            for destination in (*route.rule.destinations, *mirrored):
                found.add(target_of(topology, destination))
    return sorted(found)


def target_of(topology: Topology, destination: Destination) -> Target:
    """Service, port and subset that a destination means; raises `MeshError` where there is none."""
    service = topology.service(destination.host)
    port = topology.port(service, destination) if service else None
    if service is None or port is None:
        raise MeshError(
            f"{destination.host} is no Service with this port", where=str(destination.origin)
        )
    return Target(service.name, port.port, destination.subset)


@dataclass(frozen=True, slots=True)
class _Proxy:
    """What Istio knows of a proxy when it makes its routes; `authority` where Host is known."""

    gateways: frozenset[str]
    labels: Labels
    port: int
    authority: str = ""

    def takes(self, match: Match) -> bool:
        """Whether a match can hold here; `sourceLabels` count only where it names no gateways."""
        if match.port is not None and match.port != self.port:
            return False
        if match.gateways:
            if not self.gateways & set(match.gateways):
                return False
        elif not set(match.source_labels) <= set(self.labels):
            return False
        known = (header for header in match.headers if header.name == ":authority")
        return not self.authority or all(holds(header, (self.authority,)) for header in known)


def _routes(item: VirtualService, proxy: _Proxy) -> Iterator[Route]:
    for rule in item.rules:
        if not rule.matches:
            yield Route(rule, None)
            return
        for match in rule.matches:
            if not proxy.takes(match):
                continue
            route = Route(rule, match, proxy.authority)
            yield route
            if route.catches_all:
                return


def _bound(item: VirtualService, gateway: Gateway) -> bool:
    for name in item.gateways:
        namespace, _, short = name.rpartition("/")
        if short == gateway.name and (namespace or item.namespace) == gateway.namespace:
            return True
    return False


def _full(gateway: Gateway) -> str:
    return f"{gateway.namespace}/{gateway.name}"


def _intersection(server: Iterable[str], item: VirtualService, home: str) -> list[str]:
    """The more specific of each pair of hosts that fits, in order, each once.

    A server's host may say whose rules it takes: `./` those of the Gateway's own namespace.
    """
    found: dict[str, None] = {}
    for pattern in server:
        namespace, _, host = pattern.rpartition("/")
        if namespace not in {"", "*"} and item.namespace != (
            home if namespace == "." else namespace
        ):
            continue
        for rule in item.hosts:
            one, two = host.lower(), rule.lower()
            if _covers(one, two):
                found[two] = None
            elif _covers(two, one):
                found[one] = None
    return list(found)


def _covers(pattern: str, host: str) -> bool:
    if pattern.startswith("*"):
        return host.lstrip("*").endswith(pattern[1:])
    return pattern == host


def _catch_all_last(routes: list[Route]) -> Iterator[Route]:
    # Rules of several VirtualServices on one host: Istio moves the catch-all routes to the end.
    yield from (route for route in routes if not route.catches_all)
    yield from (route for route in routes if route.catches_all)
