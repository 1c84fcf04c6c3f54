"""Compiles Services and their policies into clusters, and pods into their endpoints.

Enters: the topology, what a source can reach, the placement's pods. Leaves: Envoy's Cluster and
ClusterLoadAssignment messages as JSON values. Called by `serinus.mesh.envoy.compile`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from serinus.mesh.envoy import names
from serinus.mesh.placement import Endpoint
from serinus.mesh.topology import (
    ConnectionPool,
    LoadBalancer,
    OutlierDetection,
    Service,
    Subset,
    Topology,
    TrafficPolicy,
)
from serinus.mesh.view import Target


def cluster(topology: Topology, target: Target, source: str, directory: str) -> dict[str, Any]:
    """The cluster by which a source reaches a target."""
    policy, pool = _policy(topology, target), ConnectionPool()
    if policy.pool is not None:
        pool = policy.pool
    assigned = names.assignment(target)
    return names.typed(
        "config.cluster.v3.Cluster",
        name=names.cluster(target, source),
        type="EDS",
        eds_cluster_config={
            "eds_config": names.source_file(directory, names.eds_path(assigned)),
            "service_name": assigned,
        },
        connect_timeout=names.duration(pool.connect_timeout),
        circuit_breakers={"thresholds": [_thresholds(pool)]},
        typed_extension_protocol_options=_protocol(pool),
        outlier_detection=_outlier(policy.outlier),
        common_lb_config=_panic(policy.outlier),
        **_load_balancer(policy.load_balancer or LoadBalancer()),
    )


def assignment(topology: Topology, target: Target, pods: Iterable[Endpoint]) -> dict[str, Any]:
    """The endpoints of a target, by address: pods with the labels of Service and subset."""
    service, subset = _found(topology, target)
    wanted = {*service.selector, *(subset.labels if subset else ())}
    port = next(port for port in service.ports if port.port == target.port)
    endpoints = []
    for pod in sorted(pods, key=lambda pod: pod.address):
        number = port.target if isinstance(port.target, int) else pod.ports.get(port.target)
        # A Service without a selector has no pods of its own.
        if number is None or not service.selector or not wanted <= set(pod.labels.items()):
            continue
        address = {"socket_address": {"address": pod.address, "port_value": number}}
        endpoints.append({"endpoint": {"address": address}})
    return names.typed(
        "config.endpoint.v3.ClusterLoadAssignment",
        cluster_name=names.assignment(target),
        endpoints=[{"lb_endpoints": endpoints}] if endpoints else [],
    )


def _found(topology: Topology, target: Target) -> tuple[Service, Subset | None]:
    service = next(item for item in topology.services if item.name == target.service)
    return service, next((s for s in service.subsets if s.name == target.subset), None)


def _policy(topology: Topology, target: Target) -> TrafficPolicy:
    service, subset = _found(topology, target)
    return subset.policy if subset else service.policy


def _thresholds(pool: ConnectionPool) -> dict[str, int]:
    """Istio's limits, always written out: Envoy's own defaults are 1,024 and 3 retries."""
    return {
        "max_connections": pool.max_connections,
        "max_pending_requests": pool.max_pending_requests,
        "max_requests": pool.max_requests,
        "max_retries": pool.max_retries,
    }


def _protocol(pool: ConnectionPool) -> dict[str, Any] | None:
    common: dict[str, Any] = {}
    if pool.idle_timeout is not None:
        common["idle_timeout"] = names.duration(pool.idle_timeout)
    if pool.max_connection_duration is not None:
        common["max_connection_duration"] = names.duration(pool.max_connection_duration)
    if pool.max_requests_per_connection is not None:
        common["max_requests_per_connection"] = pool.max_requests_per_connection
    if not common:
        return None
    return {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": names.typed(
            "extensions.upstreams.http.v3.HttpProtocolOptions",
            common_http_protocol_options=common,
            explicit_http_config={"http_protocol_options": {}},
        )
    }


def _outlier(outlier: OutlierDetection | None) -> dict[str, Any] | None:
    if outlier is None:
        return None
    found: dict[str, Any] = {"enforcing_success_rate": 0}
    for field, value in (
        ("consecutive_5xx", outlier.consecutive_5xx),
        ("consecutive_gateway_failure", outlier.consecutive_gateway),
    ):
        if value is not None:
            found[field] = value
            found[f"enforcing_{field}"] = 100 if value else 0
    if outlier.interval is not None:
        found["interval"] = names.duration(outlier.interval)
    if outlier.base_ejection is not None:
        found["base_ejection_time"] = names.duration(outlier.base_ejection)
    if outlier.max_ejection_percent:
        found["max_ejection_percent"] = outlier.max_ejection_percent
    if outlier.split_local:
        found["split_external_local_origin_errors"] = True
        found["enforcing_local_origin_success_rate"] = 0
        if outlier.consecutive_local:
            found["consecutive_local_origin_failure"] = outlier.consecutive_local
            found["enforcing_consecutive_local_origin_failure"] = 100
    return found


def _panic(outlier: OutlierDetection | None) -> dict[str, Any] | None:
    """Istio turns Envoy's panic mode (half the pods ill: use all) off with outlier detection."""
    if outlier is None:
        return None
    return {"healthy_panic_threshold": {"value": outlier.min_health_percent}}


def _load_balancer(balancer: LoadBalancer) -> dict[str, Any]:
    if not balancer.hash_header:
        return {"lb_policy": balancer.simple}
    if balancer.maglev:
        size = {"maglev_lb_config": {"table_size": balancer.table_size}}
        return {"lb_policy": "MAGLEV", **(size if balancer.table_size else {})}
    return {
        "lb_policy": "RING_HASH",
        "ring_hash_lb_config": {"minimum_ring_size": balancer.minimum_ring_size},
    }
