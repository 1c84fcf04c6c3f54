"""Reads Gateway and EnvoyFilter objects: the door from outside and the filters put into it.

Enters: objects. Leaves: `Gateway` and `HttpFilter`. Called by `serinus.mesh.istio`.
"""

from __future__ import annotations

from typing import Final, Literal, cast

from serinus.manifests import Object
from serinus.mesh.istio.fields import Fields
from serinus.mesh.topology import Gateway, HttpFilter, Labels, Server

_OPERATIONS: Final = ("INSERT_FIRST", "INSERT_BEFORE", "INSERT_AFTER", "ADD")
_CERTIFICATE: Final = ("credentialName", "minProtocolVersion", "maxProtocolVersion", "cipherSuites")
"""Of a certificate and its protocol, which decide no route."""
_MANAGER: Final = "envoy.filters.network.http_connection_manager"


def gateway(item: Object, namespace: str) -> Gateway:
    """One Gateway; raises `MeshError` for other protocols than HTTP and HTTPS that ends there."""
    with Fields(item, ("spec",)) as spec:
        return Gateway(
            origin=spec.origin(),
            name=item.name,
            namespace=item.namespace or namespace,
            selector=spec.labels("selector"),
            servers=tuple(_server(block) for block in spec.blocks("servers")),
        )


def _server(fields: Fields) -> Server:
    with fields:
        fields.raw("name")
        port = fields.block("port")
        if port is None:
            raise fields.error("lacks a port")
        with port:
            port.raw("name")
            protocol = port.text("protocol")
            number = port.integer("number")
            if protocol.upper() not in {"HTTP", "HTTP2", "HTTPS"} or number is None:
                raise port.error(
                    f"{protocol or 'no protocol'} is not covered, only HTTP and HTTPS", "protocol"
                )
        secure = protocol.upper() == "HTTPS"
        redirect = False
        if (tls := fields.block("tls")) is not None:
            with tls:
                redirect = bool(tls.boolean("httpsRedirect"))
                if secure:
                    tls.without_effect("mode", "SIMPLE")
                    for name in _CERTIFICATE:
                        tls.raw(name)
        return Server(fields.origin(), number, fields.texts("hosts"), secure, redirect)


def envoy_filter(item: Object, selectors: set[Labels]) -> list[HttpFilter]:
    """The HTTP filters of one EnvoyFilter, in order.

    `selectors` are those of the gateways: a filter for other proxies is not covered.
    """
    with Fields(item, ("spec",)) as spec:
        spec.raw("priority")
        if (chosen := spec.block("workloadSelector")) is not None:
            with chosen:
                labels = chosen.labels("labels")
                if not any(set(labels) <= set(selector) for selector in selectors):
                    raise chosen.error("selects no gateway of this chart", "labels")
        return [_patch(block) for block in spec.blocks("configPatches")]


def _patch(fields: Fields) -> HttpFilter:
    with fields:
        if (kind := fields.text("applyTo")) != "HTTP_FILTER":
            raise fields.error(f"{kind} is not covered, only HTTP_FILTER", "applyTo")
        anchor = ""
        if (match := fields.block("match")) is not None:
            anchor = _anchor(match)
        patch = fields.block("patch")
        if patch is None:
            raise fields.error("lacks a patch")
        with patch:
            operation = patch.text("operation")
            if operation not in _OPERATIONS:
                raise patch.error(f"{operation} is not covered", "operation")
            value = patch.raw("value")
            if not isinstance(value, dict) or not isinstance(value.get("name"), str):
                raise patch.error("must be an HTTP filter with a name", "value")
        return HttpFilter(
            fields.origin(),
            cast(Literal["INSERT_FIRST", "INSERT_BEFORE", "INSERT_AFTER", "ADD"], operation),
            anchor,
            value,
        )


def _anchor(match: Fields) -> str:
    """The filter that the match names; empty when it names none."""
    with match:
        if match.text("context") != "GATEWAY":
            raise match.error("only filters of the gateway are covered", "context")
        listener = match.block("listener")
        if listener is None:
            return ""
        with listener:
            chain = listener.block("filterChain")
            if chain is None:
                return ""
            with chain:
                network = chain.block("filter")
                if network is None:
                    return ""
                with network:
                    network.without_effect("name", _MANAGER)
                    sub = network.block("subFilter")
                    if sub is None:
                        return ""
                    with sub:
                        return sub.text("name")
