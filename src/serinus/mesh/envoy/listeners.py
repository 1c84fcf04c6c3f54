"""Compiles the gateway and the callers' outbound sides into listeners.

Enters: the placement and the gateway's filters. Leaves: Envoy's Listener messages as JSON values.
Called by `serinus.mesh.envoy.compile`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from serinus.mesh.envoy import names
from serinus.mesh.envoy.filters import http_filters
from serinus.mesh.placement import GATEWAY, Outbound, Placement, SocketAddress
from serinus.mesh.topology import HttpFilter

_MANAGER: Final = "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ACCESS_LOG: Final = {
    "time": "%START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)%",
    "method": "%REQ(:METHOD)%",
    "host": "%REQ(:AUTHORITY)%",
    "path": "%PATH(NQ)%",
    "status": "%RESPONSE_CODE%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "flags": "%RESPONSE_FLAGS%",
    "route": "%ROUTE_NAME%",
    "cluster": "%UPSTREAM_CLUSTER_RAW%",
    "upstream": "%UPSTREAM_HOST%",
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "duration_ms": "%DURATION%",
    "bytes_received": "%BYTES_RECEIVED%",
    "bytes_sent": "%BYTES_SENT%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "request_id": "%REQ(X-REQUEST-ID)%",
}
"""No header that a visitor is known by, and no query, is written."""


def gateway_listener(placement: Placement, patches: Iterable[HttpFilter]) -> dict[str, Any]:
    """The door from outside: the connection's address is the client, whatever a header says."""
    manager = _manager(placement, GATEWAY, http_filters(patches))
    # Nobody is inside, not even this machine: else Envoy would obey a client's `x-envoy-*` headers.
    # It takes an empty list for its default, every private and loopback address.
    nobody = {"address_prefix": "255.255.255.255", "prefix_len": 32}
    manager |= {"use_remote_address": True, "internal_address_config": {"cidr_ranges": [nobody]}}
    if placement.access_log:
        log = names.typed(
            "extensions.access_loggers.file.v3.FileAccessLog",
            path=placement.access_log,
            log_format={"json_format": _ACCESS_LOG},
        )
        manager["access_log"] = [{"name": "envoy.access_loggers.file", "typed_config": log}]
    return _listener(GATEWAY, placement.gateway, manager)


def outbound_listener(placement: Placement, outbound: Outbound) -> dict[str, Any]:
    """One caller's way to one Service.

    The caller was given the listener's address, so it is asked for whatever Host comes; the routes
    write the Service's name into it.
    """
    name = names.outbound(str(outbound.caller), outbound.service)
    manager = _manager(placement, name, http_filters())
    return _listener(name, (outbound.listen,), manager)


def _manager(placement: Placement, name: str, filters: list[dict[str, Any]]) -> dict[str, Any]:
    return names.typed(
        _MANAGER,
        stat_prefix=name,
        server_name="istio-envoy",
        rds={
            "config_source": names.source_file(placement.directory, names.rds_path(name)),
            "route_config_name": name,
        },
        normalize_path=True,
        use_remote_address=False,
        stream_idle_timeout="0s",
        upgrade_configs=[{"upgrade_type": "websocket"}],
        http_filters=filters,
    )


def _listener(
    name: str, addresses: tuple[SocketAddress, ...], manager: dict[str, Any]
) -> dict[str, Any]:
    first, *others = [_address(address) for address in addresses]
    network = {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": manager,
    }
    return names.typed(
        "config.listener.v3.Listener",
        name=name,
        address=first,
        additional_addresses=[{"address": address} for address in others] or None,
        # With a shared port a second Envoy would take half of the connections in silence.
        enable_reuse_port=False,
        filter_chains=[{"filters": [network]}],
    )


def _address(address: SocketAddress) -> dict[str, Any]:
    return {"socket_address": {"address": address.address, "port_value": address.port}}
