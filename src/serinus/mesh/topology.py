"""The neutral model between Istio's objects and Envoy's configuration.

Enters: nothing of either side. Leaves: frozen records, each rule with the place of the rendered
chart that says so. Filled by `serinus.mesh.istio`, read by `serinus.mesh.view`, `explain` and
`envoy`. Times are seconds, percentages 0 to 100.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Labels = tuple[tuple[str, str], ...]
"""Label names and values, sorted."""
MESH = "mesh"
"""Istio's reserved gateway: every workload's own proxy."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the rendered chart says so: object, path in it, template, line (from 1)."""

    kind: str
    name: str
    path: str
    template: str
    line: int

    def __str__(self) -> str:
        template = f"{self.template}, " if self.template else ""
        return f"{self.kind} {self.name} {self.path} ({template}rendered line {self.line})"


@dataclass(frozen=True, slots=True)
class StringMatch:
    """Istio's StringMatch; a regex matches whole, `present` matches any value."""

    kind: Literal["exact", "prefix", "regex", "present"]
    value: str = ""


@dataclass(frozen=True, slots=True)
class HeaderMatch:
    """One entry of `headers`, or of `withoutHeaders` when inverted; the name is lower case."""

    name: str
    match: StringMatch
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """One HTTPMatchRequest: all of it must hold."""

    origin: Origin
    name: str = ""
    uri: StringMatch | None = None
    ignore_uri_case: bool = False
    headers: tuple[HeaderMatch, ...] = ()
    query: tuple[HeaderMatch, ...] = ()
    gateways: tuple[str, ...] = ()
    source_labels: Labels = ()
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One header to write: `add` appends a value, otherwise the value replaces all others."""

    name: str
    value: str
    add: bool = False


@dataclass(frozen=True, slots=True)
class Headers:
    """Operations on one message, as Envoy orders them: removals first, then `set`, then `add`."""

    remove: tuple[str, ...] = ()
    write: tuple[Change, ...] = ()

    def then(self, other: Headers) -> Headers:
        """Both in one step: all removals before all writes."""
        return Headers(self.remove + other.remove, self.write + other.write)


@dataclass(frozen=True, slots=True)
class Operations:
    """Header operations on request and response; `authority` replaces the request's Host."""

    request: Headers = Headers()
    response: Headers = Headers()
    authority: str = ""


@dataclass(frozen=True, slots=True)
class Destination:
    """One destination of a route; `weight` as written, 0 when absent."""

    origin: Origin
    host: str
    subset: str = ""
    port: int | None = None
    weight: int = 0
    headers: Operations = Operations()


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a request is tried again and for what; 0 attempts means never."""

    attempts: int = 2
    retry_on: tuple[str, ...] = ("connect-failure", "refused-stream", "unavailable", "cancelled")
    status_codes: tuple[int, ...] = ()
    per_try_timeout: float | None = None
    back_off: float | None = None
    ignore_previous_hosts: bool | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """A delay in seconds, an abort with a status, each for a percentage of requests."""

    delay: float | None = None
    delay_percentage: float = 0.0
    abort: int | None = None
    abort_percentage: float = 0.0


@dataclass(frozen=True, slots=True)
class Mirror:
    """A copy of the request for another destination; its answer is thrown away."""

    destination: Destination
    percentage: float = 100.0


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What the destination sees instead; `regex` is (pattern, substitution)."""

    uri: str = ""
    authority: str = ""
    regex: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Redirect:
    """An answer that sends the client elsewhere; `port` None derives nothing."""

    uri: str = ""
    authority: str = ""
    scheme: str = ""
    port: int | None = None
    code: int = 301


@dataclass(frozen=True, slots=True)
class DirectResponse:
    """An answer of the proxy itself."""

    status: int
    body: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One HTTPRoute: matches (none: every request) and what happens."""

    origin: Origin
    name: str = ""
    matches: tuple[Match, ...] = ()
    destinations: tuple[Destination, ...] = ()
    headers: Operations = Operations()
    retries: Retries = Retries()
    timeout: float | None = None
    fault: Fault | None = None
    mirrors: tuple[Mirror, ...] = ()
    rewrite: Rewrite | None = None
    redirect: Redirect | None = None
    direct_response: DirectResponse | None = None


@dataclass(frozen=True, slots=True)
class VirtualService:
    """Rules for some hosts on some gateways; `mesh` stands for all workloads."""

    origin: Origin
    name: str
    namespace: str
    hosts: tuple[str, ...]
    gateways: tuple[str, ...]
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Server:
    """One port of a Gateway and the hosts it answers for.

    `secure` is HTTPS that ends here; `redirect` answers all HTTP with the address under HTTPS.
    """

    origin: Origin
    port: int
    hosts: tuple[str, ...]
    secure: bool = False
    redirect: bool = False


@dataclass(frozen=True, slots=True)
class Gateway:
    """A door from outside; `selector` names the proxies that open it."""

    origin: Origin
    name: str
    namespace: str
    selector: Labels
    servers: tuple[Server, ...]


@dataclass(frozen=True, slots=True)
class LoadBalancer:
    """How an endpoint is chosen; a hash header makes it consistent hashing."""

    simple: Literal["LEAST_REQUEST", "RANDOM", "ROUND_ROBIN"] = "LEAST_REQUEST"
    hash_header: str = ""
    minimum_ring_size: int = 1024
    maglev: bool = False
    table_size: int = 0


@dataclass(frozen=True, slots=True)
class OutlierDetection:
    """When an endpoint is left out for a while; None is Envoy's own default."""

    consecutive_5xx: int | None = None
    consecutive_gateway: int | None = None
    consecutive_local: int | None = None
    split_local: bool = False
    interval: float | None = None
    base_ejection: float | None = None
    max_ejection_percent: int | None = None
    min_health_percent: int = 0


@dataclass(frozen=True, slots=True)
class ConnectionPool:
    """Limits of a cluster; Istio's defaults are no limit and 10 s to connect."""

    connect_timeout: float = 10.0
    max_connections: int = 2**32 - 1
    max_pending_requests: int = 2**32 - 1
    max_requests: int = 2**32 - 1
    max_retries: int = 2**32 - 1
    max_requests_per_connection: int | None = None
    idle_timeout: float | None = None
    max_connection_duration: float | None = None


@dataclass(frozen=True, slots=True)
class TrafficPolicy:
    """How a destination is reached."""

    load_balancer: LoadBalancer | None = None
    outlier: OutlierDetection | None = None
    pool: ConnectionPool | None = None

    def over(self, base: TrafficPolicy) -> TrafficPolicy:
        """This policy on top of another: each of the three blocks whole, as Istio does."""
        return TrafficPolicy(
            self.load_balancer or base.load_balancer,
            self.outlier or base.outlier,
            self.pool or base.pool,
        )


@dataclass(frozen=True, slots=True)
class Subset:
    """Some of a Service's pods, by labels."""

    origin: Origin
    name: str
    labels: Labels
    policy: TrafficPolicy = TrafficPolicy()


@dataclass(frozen=True, slots=True)
class ServicePort:
    """A Service's port and the pods' port behind it, by number or by name."""

    port: int
    target: int | str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """A Service with what a DestinationRule says about it."""

    origin: Origin
    name: str
    namespace: str
    selector: Labels
    ports: tuple[ServicePort, ...]
    policy: TrafficPolicy = TrafficPolicy()
    subsets: tuple[Subset, ...] = ()


@dataclass(frozen=True, slots=True)
class HttpFilter:
    """An HTTP filter that an EnvoyFilter puts into the gateway, as Envoy's own JSON."""

    origin: Origin
    operation: Literal["INSERT_FIRST", "INSERT_BEFORE", "INSERT_AFTER", "ADD"]
    anchor: str
    value: Mapping[str, Any] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Topology:
    """Everything that the rendered chart says about traffic."""

    gateways: tuple[Gateway, ...] = ()
    virtual_services: tuple[VirtualService, ...] = ()
    services: tuple[Service, ...] = ()
    filters: tuple[HttpFilter, ...] = ()
    namespace: str = "default"

    def service(self, host: str) -> Service | None:
        """The Service of a host: its plain name, or any longer form that Kubernetes knows."""
        host = host.lower()
        for item in self.services:
            if host in names(item):
                return item
        return None

    def port(self, service: Service, destination: Destination | None = None) -> ServicePort | None:
        """The port that a destination means: the one it names, else the only one, else 80."""
        wanted = destination.port if destination else None
        if wanted is None and len(service.ports) == 1:
            return service.ports[0]
        for item in service.ports:
            if item.port == (wanted or 80):
                return item
        return None


def names(service: Service) -> tuple[str, ...]:
    """All names of a Service for a caller in its namespace, shortest first."""
    short, namespace = service.name, service.namespace
    return (
        short,
        f"{short}.{namespace}",
        f"{short}.{namespace}.svc",
        f"{short}.{namespace}.svc.cluster.local",
    )
