"""Decides one request in plain Python, from the same list of routes that Envoy gets.

Enters: a topology and a request. Leaves: `Decision`: the rule that decides with its place in the
rendered chart, the destinations with their shares, and what happens to the headers. Called by
`serinus.cli.mesh` and by the tests, which hold it against a real Envoy.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from serinus.errors import UsageError
from serinus.mesh.matching import holds, matches, uri_matches
from serinus.mesh.paths import normalise
from serinus.mesh.placement import GATEWAY, Workload
from serinus.mesh.topology import HeaderMatch, Headers, Origin, Topology
from serinus.mesh.view import (
    Route,
    VirtualHost,
    gateway_hosts,
    merged_headers,
    outbound_host,
    redirected,
    weighted,
)

HeaderList = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Request:
    """A request; `source` is None for a client outside. `target` is the path with its query.

    Header names are lower case; a name may come several times. `secure` is HTTPS to the gateway.
    """

    method: str
    host: str
    target: str
    headers: HeaderList = ()
    source: Workload | None = None
    secure: bool = False

    def values(self, name: str) -> tuple[str, ...]:
        """All values of a header, in order; pseudo-headers too."""
        special = {":method": self.method, ":authority": self.host}
        special[":scheme"] = "https" if self.secure else "http"
        if name in special:
            return (special[name],)
        return tuple(value for key, value in self.headers if key == name)


@dataclass(frozen=True, slots=True)
class Share:
    """One possible destination: its part of the requests in percent, and all header operations.

    Operations are in the order in which Envoy runs them.
    """

    origin: Origin
    service: str
    subset: str
    percent: float
    request: tuple[Headers, ...]
    response: tuple[Headers, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a request. `status` is set when Envoy answers by itself."""

    listener: str
    host: str
    path: str
    route: Route | None
    shares: tuple[Share, ...]
    status: int | None
    reason: str


def explain(topology: Topology, request: Request) -> Decision:
    """Decide a request; raises `UsageError` when its source has no way to its host."""
    listener, hosts = _listener(topology, request)
    if not request.host:
        return Decision(listener, "", request.target, None, (), 400, "there is no host")
    path = normalise(request.target)
    if path is None:
        return Decision(
            listener, "", request.target, None, (), 400, "the path cannot be normalised"
        )
    plain = request.source is None and not request.secure
    if plain and redirected(topology, _without_port(request.host)):
        return Decision(listener, "", path, None, (), 301, "the gateway redirects to HTTPS")
    host = _host(hosts, request.host)
    if host is None:
        return Decision(listener, "", path, None, (), 404, "no rule is for this host")
    for route in host.routes:
        if _applies(route, request, path):
            return _decided(topology, listener, host, path, route)
    return Decision(listener, host.name, path, None, (), 404, "no rule matches")


def apply(headers: Iterable[tuple[str, str]], steps: Iterable[Headers]) -> HeaderList:
    """Headers after operations: in each step removals first, then writes."""
    found = list(headers)
    for step in steps:
        gone = {name.lower() for name in step.remove}
        found = [item for item in found if item[0].lower() not in gone]
        for change in step.write:
            if not change.add:
                found = [item for item in found if item[0].lower() != change.name.lower()]
            found.append((change.name.lower(), change.value))
    return tuple(found)


def _listener(topology: Topology, request: Request) -> tuple[str, list[VirtualHost]]:
    if request.source is None:
        return GATEWAY, gateway_hosts(topology, secure=request.secure)
    name = request.host.rpartition(":")[0] or request.host
    service = topology.service(name)
    if service is None:
        raise UsageError(
            f"no Service named {name} is rendered",
            remedy=f"inside the mesh: {', '.join(sorted(s.name for s in topology.services))}",
        )
    host = outbound_host(topology, service, request.source.labels)
    return f"{request.source} towards {service.name}", [host]


def _host(hosts: Iterable[VirtualHost], authority: str) -> VirtualHost | None:
    """Envoy's order: the whole name, then the longest `*.suffix`, then `*`."""
    name = _without_port(authority)
    best, length = None, -1
    for host in hosts:
        for domain in host.domains:
            if domain == name:
                return host
            if domain.startswith("*") and name.endswith(domain[1:]) and len(name) >= len(domain):
                if len(domain) > length:
                    best, length = host, len(domain)
            elif domain == "*" and length < 0:
                best, length = host, 0
    return best


def _without_port(authority: str) -> str:
    """The host's name in lower case."""
    head, colon, port = authority.lower().rpartition(":")
    return head if colon and port.isdecimal() else authority.lower()


def _applies(route: Route, request: Request, path: str) -> bool:
    if route.match is None:
        return True
    return (
        uri_matches(route.match, path)
        and all(holds(header, request.values(header.name)) for header in route.headers)
        and all(_query_holds(item, request.target) for item in route.match.query)
    )


def _query_holds(item: HeaderMatch, target: str) -> bool:
    """Envoy compares the first value of a parameter, as written."""
    for pair in target.partition("?")[2].split("&"):
        name, _, value = pair.partition("=")
        if name == item.name:
            return matches(item.match, value)
    return False


def _decided(
    topology: Topology, listener: str, host: VirtualHost, path: str, route: Route
) -> Decision:
    rule = route.rule
    status = None
    if rule.redirect is not None:
        status, reason = rule.redirect.code, "the rule redirects"
    elif rule.direct_response is not None:
        status, reason = rule.direct_response.status, "the rule answers by itself"
    else:
        reason = "the first rule that matches"
        if rule.fault is not None and rule.fault.abort and rule.fault.abort_percentage == 100:
            status, reason = rule.fault.abort, "the rule aborts every request"
    shares = () if rule.redirect or rule.direct_response else tuple(_shares(topology, route))
    return Decision(listener, host.name, path, route, shares, status, reason)


def _shares(topology: Topology, route: Route) -> Iterable[Share]:
    request, response = merged_headers(route)
    targets = weighted(route)
    alone = len(route.rule.destinations) == 1
    total = sum(target.weight for target in targets)
    for target in targets:
        service = topology.service(target.host)
        own = target.headers
        yield Share(
            origin=target.origin,
            service=service.name if service else target.host,
            subset=target.subset,
            percent=100.0 if alone else 100.0 * target.weight / total,
            request=(request,) if alone else (own.request, request),
            response=(response,) if alone else (own.response, response),
        )
