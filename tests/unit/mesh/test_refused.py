"""What the compiler does not cover is an error that names object, path and line."""

from __future__ import annotations

import pytest
from tests.unit.mesh.objects import GATEWAY, SERVICE, TRACKS, read, rules, web

from serinus.errors import MeshError
from serinus.mesh import envoy
from serinus.mesh.placement import Outbound, Placement, SocketAddress, Workload

ROUTE = "route: [{destination: {host: web}}]"


@pytest.mark.parametrize(
    ("http", "path", "what"),
    [
        ("[{corsPolicy: {}, ROUTE}]", "http[0].corsPolicy", "not covered"),
        ("[{ROUTE, match: [{port: x}]}]", "match[0].port", "whole number"),
        ("[{ROUTE, match: [{sourceNamespace: x}]}]", "match[0].sourceNamespace", "not covered"),
        ("[{ROUTE, match: [{uri: {exact: a, prefix: b}}]}]", "match[0].uri", "only one of"),
        ("[{ROUTE, match: [{uri: {glob: a}}]}]", "match[0].uri.glob", "not covered"),
        ("[{ROUTE, match: [{uri: {regex: '(?=a)'}}]}]", "match[0].uri.regex", "no RE2"),
        ("[{ROUTE, match: [{uri: {regex: '(a)\\1'}}]}]", "match[0].uri.regex", "no RE2"),
        ("[{ROUTE, match: [{uri: {regex: '(a'}}]}]", "match[0].uri.regex", "no regular expression"),
        ("[{ROUTE, match: [{headers: {'@request.auth.claims.a': {exact: b}}}]}]", "auth", "claims"),
        ("[{ROUTE, timeout: 20}]", "http[0].timeout", "duration"),
        ("[{ROUTE, timeout: 20x}]", "http[0].timeout", "'20x' is no duration"),
        ("[{ROUTE, retries: {attempts: -1}}]", "retries.attempts", "from 0"),
        ("[{ROUTE, retries: {retryRemoteLocalities: true}}]", "RemoteLocalities", "localities"),
        ("[{ROUTE, fault: {delay: {exponentialDelay: 1s}}}]", "exponentialDelay", "not covered"),
        ("[{ROUTE, fault: {abort: {grpcStatus: x}}}]", "abort.grpcStatus", "not covered"),
        ("[{ROUTE, mirrorPercentage: {value: 101}}]", "mirrorPercentage", "0 to 100"),
        ("[{redirect: {redirectCode: 200}}]", "redirectCode", "200 is no redirect"),
        ("[{redirect: {derivePort: FROM_REQUEST_PORT}}]", "derivePort", "not covered"),
        ("[{directResponse: {status: 99}}]", "directResponse.status", "200 to 599"),
        ("[{directResponse: {status: 200}, ROUTE}]", "http[0] ", "exactly one of"),
        ("[{}]", "http[0] ", "exactly one of"),
        ("[]", "spec ", "at least one"),
        ("[{route: [{destination: {host: web}}, {destination: {host: web}}]}]", "route", "weight"),
        ("[{route: [{weight: 1}]}]", "route[0]", "lacks a destination"),
        ("[{route: [{destination: {}}]}]", "destination", "lacks a host"),
        ("[{route: [{destination: {host: nowhere}}]}]", "route[0]", "no Service named nowhere"),
        ("[{route: [{destination: {host: web, subset: beta}}]}]", "route[0]", "no subset beta"),
        ("[{route: [{destination: {host: web, port: {number: 81}}}]}]", "route[0]", "no port 81"),
        ("[{ROUTE, headers: {request: {rename: {}}}}]", "request.rename", "not covered"),
        ("[{ROUTE, headers: {request: {set: [a]}}}]", "request.set", "map text to text"),
        ("[{ROUTE, headers: {request: {remove: a}}}]", "request.remove", "list of text"),
        ("{a: b}", "spec.http", "must be a list"),
        ("[a]", "spec.http[0]", "must be a mapping"),
    ],
)  # fmt: skip
def test_virtual_service(http: str, path: str, what: str) -> None:
    with pytest.raises(MeshError) as caught:
        web(http.replace("ROUTE", ROUTE))
    assert "VirtualService web" in caught.value.where
    assert path in caught.value.where
    assert "rendered line" in caught.value.where
    assert what in caught.value.what


@pytest.mark.parametrize(
    ("spec", "path", "what"),
    [
        ("trafficPolicy: {portLevelSettings: []}", "portLevelSettings", "not covered"),
        ("trafficPolicy: {tls: {mode: SIMPLE}}", "tls.mode", "'SIMPLE' is not covered"),
        ("trafficPolicy: {loadBalancer: {simple: PASSTHROUGH}}", "simple", "PASSTHROUGH"),
        ("trafficPolicy: {loadBalancer: {warmup: {}}}", "warmup", "not covered"),
        (
            "trafficPolicy: {loadBalancer: {localityLbSetting: {enabled: true}}}",
            "localityLbSetting.enabled",
            "{enabled: false} only",
        ),
        (
            "trafficPolicy: {loadBalancer: {localityLbSetting: {}}}",
            "localityLbSetting",
            "{enabled: false} only",
        ),
        ("trafficPolicy: {loadBalancer: {consistentHash: {useSourceIp: true}}}", "Hash", "only"),
        ("trafficPolicy: {connectionPool: {http: {h2UpgradePolicy: UPGRADE}}}", "h2Up", "not cov"),
        ("workloadSelector: {}", "workloadSelector", "not covered"),
        ("exportTo: [other]", "exportTo", "not covered"),
    ],
)
def test_destination_rule(spec: str, path: str, what: str) -> None:
    with pytest.raises(MeshError) as caught:
        read(SERVICE, TRACKS.split("  subsets")[0] + f"  {spec}")
    assert path in caught.value.where
    assert what in caught.value.what


@pytest.mark.parametrize(
    ("server", "path", "what"),
    [
        (
            "port: {number: 443, protocol: HTTPS}, tls: {mode: MUTUAL}",
            "tls.mode",
            "'MUTUAL' is not",
        ),
        ("port: {number: 80, protocol: HTTP}, tls: {mode: SIMPLE}", "tls.mode", "not covered"),
        ("port: {number: 80, protocol: TCP}", "port.protocol", "TCP is not covered"),
        ("hosts: []", "servers[0]", "lacks a port"),
        ("port: {number: 80, protocol: HTTP}, bind: 127.0.0.1", "bind", "not covered"),
    ],
)
def test_gateway(server: str, path: str, what: str) -> None:
    with pytest.raises(MeshError) as caught:
        read(GATEWAY.split("  servers")[0] + f"  servers: [{{{server}}}]")
    assert path in caught.value.where
    assert what in caught.value.what


FILTER = """
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: limit}
spec:
  workloadSelector: {labels: {istio: ingressgateway}}
  configPatches:
    - applyTo: HTTP_FILTER
      match:
        context: GATEWAY
        listener: {filterChain: {filter: {subFilter: {name: envoy.filters.http.router}}}}
      patch: {operation: INSERT_BEFORE, value: {name: mine, typed_config: {}}}
"""


@pytest.mark.parametrize(
    ("old", "new", "path", "what"),
    [
        ("HTTP_FILTER", "HTTP_ROUTE", "applyTo", "HTTP_ROUTE is not covered"),
        ("GATEWAY", "SIDECAR_INBOUND", "context", "only filters of the gateway"),
        ("INSERT_BEFORE", "MERGE", "operation", "MERGE is not covered"),
        ("{name: mine, typed_config: {}}", "{}", "value", "filter with a name"),
        ("istio: ingressgateway", "app: web", "labels", "selects no gateway"),
        ("{filterChain:", "{portNumber: 8080, filterChain:", "portNumber", "not covered"),
        ("INSERT_BEFORE", "INSERT_AFTER", "configPatches[0]", "behind the router"),
        ("INSERT_BEFORE", "ADD", "configPatches[0]", "behind the router"),
        ("http.router", "http.cors", "configPatches[0]", "which is not there"),
    ],
)
def test_envoy_filter(old: str, new: str, path: str, what: str) -> None:
    texts = (GATEWAY, SERVICE, rules(f"[{{{ROUTE}}}]"), FILTER.replace(old, new))
    with pytest.raises(MeshError) as caught:
        envoy.compile(read(*texts), PLACEMENT)
    assert path in caught.value.where
    assert what in caught.value.what


PLACEMENT = Placement((SocketAddress("127.0.0.1", 80),), SocketAddress("127.0.0.1", 81), "/xds")


def test_kinds_that_change_traffic_are_not_passed_over() -> None:
    entry = "{apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: {name: out}}"
    with pytest.raises(MeshError, match="ServiceEntry out"):
        read(entry)


def test_two_destination_rules_for_one_host() -> None:
    with pytest.raises(MeshError, match="has a DestinationRule already"):
        read(SERVICE, TRACKS, TRACKS.replace("name: web", "name: other", 1))


def test_a_destination_rule_for_no_service() -> None:
    with pytest.raises(MeshError, match="no Service named web"):
        read(TRACKS)


def test_rules_of_a_gateway_that_is_not_there() -> None:
    with pytest.raises(MeshError, match="no Gateway named other"):
        web(f"[{{{ROUTE}}}]", gateways="[other]")


def test_gateways_on_two_ports() -> None:
    second = GATEWAY.replace("name: gateway", "name: second").replace("80", "81")
    topology = read(GATEWAY, second, SERVICE, rules(f"[{{{ROUTE}}}]"))
    with pytest.raises(MeshError, match="several ports"):
        envoy.compile(topology, PLACEMENT)


def test_a_call_of_a_service_that_is_not_there() -> None:
    caller = Workload("web", "stable", {})
    placement = Placement(
        (), SocketAddress("127.0.0.1", 81), "/xds",
        (Outbound(caller, "nowhere", SocketAddress("127.0.0.1", 82)),),
    )  # fmt: skip
    with pytest.raises(MeshError, match="web/stable: no Service named nowhere"):
        envoy.compile(read(SERVICE), placement)


def test_the_kubernetes_gateway_api_is_not_taken_for_istios() -> None:
    other = "{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: g}}"
    assert read(other).gateways == ()
