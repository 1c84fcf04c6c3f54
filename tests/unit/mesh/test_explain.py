"""Decisions that the routing table doesn't hold: answers of the proxy, hosts, gateways, headers."""

from __future__ import annotations

import pytest
from tests.unit.mesh.objects import GATEWAY, SERVICE, TRACKS, read, rules, web

from serinus.errors import MeshError, UsageError
from serinus.manifests import Index
from serinus.mesh import envoy, istio
from serinus.mesh.explain import Request, apply, explain
from serinus.mesh.placement import Placement, SocketAddress, Workload
from serinus.mesh.topology import Change, Headers

TO_WEB = "route: [{destination: {host: web}}]"


def ask(target: str = "/", host: str = "web.test", **fields: object) -> Request:
    return Request("GET", host, target, **fields)  # type: ignore[arg-type]


def test_tells_object_path_template_and_line() -> None:
    source = "# Source: demo/templates/rules.yaml\n"
    text = "\n---\n".join((GATEWAY, SERVICE, source + rules(f"[{{name: only, {TO_WEB}}}]")))
    decision = explain(read(text), ask())
    assert decision.route is not None
    origin = decision.route.origin
    assert (origin.kind, origin.name, origin.path) == ("VirtualService", "web", "spec.http[0]")
    assert origin.template == "demo/templates/rules.yaml"
    line = 1 + next(n for n, line in enumerate(text.splitlines()) if "name: only" in line)
    assert origin.line == line
    assert str(origin) == (
        "VirtualService web spec.http[0] (demo/templates/rules.yaml, rendered line "
        + str(line)
        + ")"
    )


@pytest.mark.parametrize(
    ("rule", "status"),
    [
        ("{redirect: {uri: /x, redirectCode: 307}}", 307),
        ("{redirect: {uri: /x}}", 301),
        ("{directResponse: {status: 410}}", 410),
        (f"{{fault: {{abort: {{httpStatus: 503, percentage: {{value: 100}}}}}}, {TO_WEB}}}", 503),
        (f"{{fault: {{abort: {{httpStatus: 503, percentage: {{value: 50}}}}}}, {TO_WEB}}}", None),
        (f"{{fault: {{abort: {{httpStatus: 503}}}}, {TO_WEB}}}", None),
    ],
)
def test_answers_of_the_proxy(rule: str, status: int | None) -> None:
    assert explain(web(f"[{rule}]"), ask()).status == status


@pytest.mark.parametrize(
    ("match", "request_", "holds"),
    [
        ("queryParams: {a: {exact: '1'}}", ask("/?b=2&a=1"), True),
        ("queryParams: {a: {exact: '1'}}", ask("/?a=2&a=1"), False),
        ("queryParams: {a: {}}", ask("/?a"), True),
        ("queryParams: {a: {}}", ask("/"), False),
        ("uri: {prefix: /A}, ignoreUriCase: true", ask("/abc"), True),
        ("uri: {prefix: /A}", ask("/abc"), False),
        ("uri: {regex: /a}", ask("/ab"), False),
        ("headers: {x-a: {regex: '\\w'}}", ask(headers=(("x-a", "é"),)), False),
        ("headers: {x-a: {}}", ask(headers=(("x-a", ""),)), True),
        ("headers: {x-a: {}}", ask(), False),
        ("headers: {X-A: {exact: b}}", ask(headers=(("x-a", "a"), ("x-a", "b"))), True),
        ("headers: {x-a: {regex: '*'}}", ask(headers=(("x-a", "1"),)), True),
        ("withoutHeaders: {x-a: {}}", ask(), True),
        ("withoutHeaders: {x-a: {}}", ask(headers=(("x-a", ""),)), False),
        ("withoutHeaders: {x-a: {exact: b}}", ask(), True),
        ("withoutHeaders: {x-a: {regex: '.*'}}", ask(), False),
        ("withoutHeaders: {x-a: {exact: b}}", ask(headers=(("x-a", "a"), ("x-a", "b"))), False),
        ("authority: {exact: 'web.test:80'}", ask(host="web.test:80"), True),
        ("method: {regex: 'GET|HEAD'}, scheme: {exact: http}", ask(), True),
        ("gateways: [gateway]", ask(), True),
        ("gateways: [mesh]", ask(), False),
        ("sourceLabels: {app: web}", ask(), False),
        ("sourceLabels: {istio: ingressgateway}", ask(), True),
        ("gateways: [gateway], sourceLabels: {app: web}", ask(), True),
        ("port: 80", ask(), True),
    ],
)
def test_conditions(match: str, request_: Request, holds: bool) -> None:
    decision = explain(web(f"[{{match: [{{{match}}}], {TO_WEB}}}]"), request_)
    assert (decision.route is not None) == holds
    assert decision.status == (None if holds else 404)


def test_a_condition_on_another_port_is_for_another_listener() -> None:
    topology = web(f"[{{match: [{{port: 8443}}], {TO_WEB}}}]")
    assert explain(topology, ask()).status == 404


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("web.test", "web.test"),
        ("WEB.test:8080", "web.test"),
        ("a.web.test", "*.web.test"),
        ("a.b.web.test", "*.b.web.test"),
        (".web.test", ""),
        ("test", ""),
    ],
)
def test_the_most_specific_host_decides(host: str, found: str) -> None:
    hosts = "['*.web.test', web.test, '*.b.web.test']"
    decision = explain(web(f"[{{{TO_WEB}}}]", hosts=hosts), ask(host=host))
    assert decision.host == found


@pytest.mark.parametrize(
    ("bound", "status"),
    [("web.test", None), ("*/web.test", None), ("other/web.test", None), ("./web.test", 404)],
)
def test_a_gateway_s_host_says_whose_rules_it_takes(bound: str, status: int | None) -> None:
    """`./` those of its own namespace: another's rules for the host are not met."""
    gateway = GATEWAY.replace('"*"', f'"{bound}"')
    foreign = rules(f"[{{{TO_WEB}}}]", gateways="[demo/gateway]").replace(
        "name: web}", "name: web, namespace: other}", 1
    )
    assert explain(read(gateway, SERVICE, foreign), ask()).status == status
    own = read(gateway.replace("other/", "demo/"), SERVICE, rules(f"[{{{TO_WEB}}}]"))
    assert explain(own, ask()).status is None


def test_a_service_without_rules_is_called_directly() -> None:
    caller = Workload("shop", "stable", {"app": "shop"})
    decision = explain(read(SERVICE), ask(host="web.demo.svc:80", source=caller))
    assert [(share.service, share.subset, share.percent) for share in decision.shares] == [
        ("web", "", 100.0)
    ]
    assert decision.listener == "shop/stable towards web"


def test_a_caller_asks_for_an_unknown_service() -> None:
    caller = Workload("shop", "stable", {})
    with pytest.raises(UsageError, match="no Service named nowhere"):
        explain(read(SERVICE), ask(host="nowhere", source=caller))


def test_shares_follow_the_weights_that_are_given() -> None:
    topology = web(
        "[{route: [{destination: {host: web, subset: stable}, weight: 3}, "
        "{destination: {host: web, subset: canary}, weight: 1}, "
        "{destination: {host: web}, weight: 0}]}]"
    )
    shares = explain(topology, ask()).shares
    assert [(share.subset, share.percent) for share in shares] == [
        ("stable", 75.0),
        ("canary", 25.0),
    ]


def test_a_weighted_destination_runs_before_its_route() -> None:
    """So a route that removes a header removes what its destination set: Envoy's order."""
    two = (
        "[{headers: {request: {remove: [x-a]}}, route: ["
        "{destination: {host: web, subset: stable}, weight: 1, "
        "headers: {request: {set: {x-a: '1'}}}}"
        ", {destination: {host: web, subset: canary}, weight: 1}]}]"
    )
    share = explain(web(two), ask()).shares[0]
    assert apply((("x-a", "0"),), share.request) == ()
    one = two.replace(", {destination: {host: web, subset: canary}, weight: 1}", "")
    share = explain(web(one), ask()).shares[0]
    assert apply((("x-a", "0"),), share.request) == (("x-a", "1"),)


def test_operations_remove_then_write() -> None:
    steps = [Headers(("A",), (Change("b", "2"), Change("c", "3", add=True)))]
    assert apply((("a", "1"), ("b", "1"), ("c", "1")), steps) == (
        ("c", "1"),
        ("b", "2"),
        ("c", "3"),
    )


def test_a_service_with_several_ports_needs_port_80() -> None:
    caller = Workload("shop", "stable", {})
    service = SERVICE.replace("port: 80", "port: 81}, {port: 82")
    with pytest.raises(MeshError, match="several ports and none is 80"):
        explain(read(service), ask(host="web", source=caller))


def test_catch_all_rules_of_one_host_go_last() -> None:
    first, second = rules(f"[{{name: all, {TO_WEB}}}]"), rules(
        f"[{{name: some, match: [{{uri: {{prefix: /some}}}}], {TO_WEB}}}]"
    ).replace("name: web}", "name: second}", 1)  # fmt: skip
    topology = read(GATEWAY, SERVICE, TRACKS, first, second)
    decided = [explain(topology, ask(path)).route for path in ("/some", "/other")]
    assert [route.name for route in decided if route] == ["some", "all"]


SECURE = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gateway}
spec:
  selector: {istio: ingressgateway}
  servers:
    - port: {number: 80, name: http, protocol: HTTP}
      hosts: [./*.test]
      tls: {httpsRedirect: true}
    - port: {number: 443, name: https, protocol: HTTPS}
      hosts: [./*.test]
      tls: {mode: SIMPLE, credentialName: web, minProtocolVersion: TLSV1_2}
"""


def test_a_gateway_with_tls_redirects_and_decides_under_https() -> None:
    where = read(SECURE, SERVICE, TRACKS, rules(f"[{{name: only, {TO_WEB}}}]"))
    plain = explain(where, ask(host="Web.test:80"))
    assert (plain.status, plain.reason) == (301, "the gateway redirects to HTTPS")
    found = explain(where, ask(secure=True))
    assert found.route is not None
    assert found.route.name == "only"
    assert explain(where, ask(host="other.example")).status == 404


def test_https_meets_nothing_at_a_gateway_without_it() -> None:
    assert explain(web(f"[{{{TO_WEB}}}]"), ask(secure=True)).status == 404


def test_one_machine_has_no_tls() -> None:
    where = read(SECURE, SERVICE, TRACKS, rules(f"[{{{TO_WEB}}}]"))
    with pytest.raises(MeshError, match="TLS at the gateway") as caught:
        envoy.compile(where, Placement((), SocketAddress("127.0.0.1", 1), "/nowhere"))
    assert "Gateway gateway spec.servers[0]" in caught.value.where


def test_a_destination_may_be_another_release_s_service_where_that_is_said() -> None:
    text = rules("[{route: [{destination: {host: grafana.monitoring.svc.cluster.local}}]}]")
    index = Index.parse("\n---\n".join((GATEWAY, SERVICE, text)))
    (share,) = explain(istio.read(index, "demo", elsewhere=True), ask()).shares
    assert share.service == "grafana.monitoring.svc.cluster.local"
    with pytest.raises(MeshError, match="no Service named grafana"):
        istio.read(index, "demo")
