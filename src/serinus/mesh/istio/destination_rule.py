"""Reads DestinationRule and Service objects: where requests can go, and how.

Enters: objects. Leaves: `Service` with policy and subsets. Called by `serinus.mesh.istio`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Literal

from serinus.manifests import Object
from serinus.mesh.istio.fields import Fields
from serinus.mesh.topology import (
    ConnectionPool,
    LoadBalancer,
    OutlierDetection,
    Service,
    ServicePort,
    Subset,
    TrafficPolicy,
)

Simple = Literal["LEAST_REQUEST", "RANDOM", "ROUND_ROBIN"]
_SIMPLE: Final[dict[str, Simple]] = {
    "": "LEAST_REQUEST",
    "UNSPECIFIED": "LEAST_REQUEST",
    "LEAST_CONN": "LEAST_REQUEST",
    "LEAST_REQUEST": "LEAST_REQUEST",
    "RANDOM": "RANDOM",
    "ROUND_ROBIN": "ROUND_ROBIN",
}


def service(item: Object, namespace: str) -> Service:
    """One Service: its selector and ports; its other fields are the cluster's affair."""
    spec = Fields(item, ("spec",))
    ports = []
    for block in spec.blocks("ports"):
        number = block.integer("port")
        if number is None:
            raise block.error("lacks a port")
        target = block.raw("targetPort")
        if not isinstance(target, int | str):
            target = number
        ports.append(ServicePort(number, target, block.text("name")))
    return Service(
        origin=spec.origin(),
        name=item.name,
        namespace=item.namespace or namespace,
        selector=spec.labels("selector"),
        ports=tuple(ports),
    )


def destination_rule(item: Object) -> tuple[str, TrafficPolicy, tuple[Subset, ...]]:
    """Host, policy and subsets; a subset's policy is laid over the host's, block by block."""
    with Fields(item, ("spec",)) as spec:
        spec.exported()
        policy = _policy(spec.block("trafficPolicy"))
        subsets = []
        for block in spec.blocks("subsets"):
            with block:
                own = _policy(block.block("trafficPolicy"))
                subsets.append(
                    Subset(
                        block.origin(), block.text("name"), block.labels("labels"), own.over(policy)
                    )
                )
        return spec.text("host"), policy, tuple(subsets)


def _policy(fields: Fields | None) -> TrafficPolicy:
    if fields is None:
        return TrafficPolicy()
    with fields:
        # Mutual TLS between pods is Istio's; loopback connections stay plain.
        if (tls := fields.block("tls")) is not None:
            with tls:
                tls.without_effect("mode", "ISTIO_MUTUAL", "DISABLE")
        return TrafficPolicy(
            _load_balancer(fields.block("loadBalancer")),
            _outlier(fields.block("outlierDetection")),
            _pool(fields.block("connectionPool")),
        )


def _load_balancer(fields: Fields | None) -> LoadBalancer | None:
    if fields is None:
        return None
    with fields:
        simple = fields.text("simple")
        if simple not in _SIMPLE:
            raise fields.error(f"{simple} is not covered", "simple")
        if (locality := fields.block("localityLbSetting")) is not None:
            with locality:
                if locality.boolean("enabled") is not False:
                    raise locality.error("is covered as {enabled: false} only", "enabled")
        block = fields.block("consistentHash")
        if block is None:
            return LoadBalancer(_SIMPLE[simple])
        with block:
            header = block.text("httpHeaderName")
            if not header:
                raise block.error("is covered with httpHeaderName only")
            size = block.integer("minimumRingSize") or 1024
            maglev, table = "maglev" in block, 0
            if (ring := block.block("ringHash")) is not None:
                with ring:
                    size = ring.integer("minimumRingSize") or size
            if (tables := block.block("maglev")) is not None:
                with tables:
                    table = tables.integer("tableSize") or 0
            return LoadBalancer(
                "LEAST_REQUEST", header.lower(), size, maglev=maglev, table_size=table
            )


def _outlier(fields: Fields | None) -> OutlierDetection | None:
    if fields is None:
        return None
    with fields:
        return OutlierDetection(
            consecutive_5xx=fields.integer("consecutive5xxErrors"),
            consecutive_gateway=fields.integer("consecutiveGatewayErrors"),
            consecutive_local=fields.integer("consecutiveLocalOriginFailures"),
            split_local=fields.boolean("splitExternalLocalOriginErrors") or False,
            interval=fields.seconds("interval"),
            base_ejection=fields.seconds("baseEjectionTime"),
            max_ejection_percent=fields.integer("maxEjectionPercent"),
            min_health_percent=fields.integer("minHealthPercent") or 0,
        )


def _pool(fields: Fields | None) -> ConnectionPool | None:
    if fields is None:
        return None
    default, pool = ConnectionPool(), ConnectionPool()
    # Istio can't tell 0 from absent: both leave its default.
    with fields:
        if (tcp := fields.block("tcp")) is not None:
            with tcp:
                # Keep-alive finds dead hosts; on loopback there are none.
                tcp.raw("tcpKeepalive")
                pool = replace(
                    pool,
                    connect_timeout=tcp.seconds("connectTimeout") or default.connect_timeout,
                    max_connections=tcp.integer("maxConnections") or default.max_connections,
                    max_connection_duration=tcp.seconds("maxConnectionDuration"),
                    idle_timeout=tcp.seconds("idleTimeout"),
                )
        if (http := fields.block("http")) is not None:
            with http:
                http.without_effect("h2UpgradePolicy", "DEFAULT", "DO_NOT_UPGRADE")
                http.without_effect("useClientProtocol", False)
                pending = http.integer("http1MaxPendingRequests")
                pool = replace(
                    pool,
                    max_pending_requests=pending or default.max_pending_requests,
                    max_requests=http.integer("http2MaxRequests") or default.max_requests,
                    max_retries=http.integer("maxRetries") or default.max_retries,
                    max_requests_per_connection=http.integer("maxRequestsPerConnection") or None,
                    idle_timeout=http.seconds("idleTimeout") or pool.idle_timeout,
                )
    return pool
