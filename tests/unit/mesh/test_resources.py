"""Which files a change writes, in which order, and the names that statistics carry."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from tests.unit.mesh.objects import GATEWAY, SERVICE, TRACKS, read, rules, web

from serinus.mesh import envoy
from serinus.mesh.envoy import names
from serinus.mesh.placement import Endpoint, Outbound, Placement, SocketAddress, Workload
from serinus.mesh.topology import Topology
from serinus.mesh.view import Target

STABLE, CANARY = (
    Workload("web", track, {"app": "web", "version": track}) for track in ("stable", "canary")
)
PLACEMENT = Placement(
    gateway=(SocketAddress("127.0.0.1", 8080), SocketAddress("::1", 8080)),
    admin=SocketAddress("127.9.9.1", 15000),
    directory="/state/envoy",
    outbound=tuple(
        Outbound(caller, "web", SocketAddress("127.9.9.1", 15100 + number))
        for number, caller in enumerate((STABLE, CANARY))
    ),
    endpoints=(
        Endpoint("127.9.9.10", STABLE.labels, {"http": 8080}),
        Endpoint("127.9.9.11", CANARY.labels, {"http": 8081}),
        Endpoint("127.9.9.12", {"app": "other"}, {"http": 8080}),
        Endpoint("127.9.9.13", STABLE.labels, {"metrics": 9090}),
    ),
)


def weighted(stable: int) -> Topology:
    return web(
        f"[{{route: [{{destination: {{host: web, subset: stable}}, weight: {stable}}}, "
        f"{{destination: {{host: web, subset: canary}}, weight: {100 - stable}}}]}}]"
    )


def pods(resources: envoy.Resources, subset: str) -> list[tuple[str, int]]:
    text = resources.files[names.eds_path(names.assignment(Target("web", 80, subset)))]
    groups = json.loads(text)["resources"][0]["endpoints"]
    addresses = [
        item["endpoint"]["address"]["socket_address"]
        for group in groups
        for item in group["lb_endpoints"]
    ]
    return [(address["address"], address["port_value"]) for address in addresses]


def test_files_come_in_the_order_of_their_writing() -> None:
    kinds = [path.split("/")[0] for path, _ in envoy.compile(weighted(90), PLACEMENT).changes()]
    assert list(dict.fromkeys(kinds)) == ["bootstrap.json", "eds", "cds.json", "rds", "lds.json"]


def test_equal_inputs_give_equal_bytes() -> None:
    once = envoy.compile(weighted(90), PLACEMENT)
    again = envoy.compile(
        weighted(90), replace(PLACEMENT, endpoints=tuple(reversed(PLACEMENT.endpoints)))
    )
    assert once.files == again.files
    assert again.changes(once) == []


def test_a_weight_writes_the_routes_alone() -> None:
    before = envoy.compile(weighted(90), PLACEMENT)
    for stable in (75, 0, 100):
        changes = envoy.compile(weighted(stable), PLACEMENT).changes(before)
        assert [path for path, _ in changes] == ["rds/gateway.json"]


def test_a_pod_writes_its_endpoints_alone() -> None:
    before = envoy.compile(weighted(90), PLACEMENT)
    after = envoy.compile(weighted(90), replace(PLACEMENT, endpoints=PLACEMENT.endpoints[1:]))
    assert [path for path, _ in after.changes(before)] == [
        "eds/outbound.80.web.json", "eds/outbound.80.stable.web.json",
    ]  # fmt: skip


def test_clusters_go_after_the_routes_that_named_them() -> None:
    before = envoy.compile(weighted(90), PLACEMENT)
    after = envoy.compile(weighted(90), replace(PLACEMENT, outbound=PLACEMENT.outbound[:1]))
    changes = after.changes(before)
    assert [path for path, _ in changes] == ["cds.json", "lds.json", "cds.json"]
    first, last = (
        {item["name"] for item in json.loads(text)["resources"]}
        for path, text in changes
        if path == "cds.json"
    )
    assert first - last == {"outbound|80||web|web/canary"}
    assert after.removed(before) == ["rds/outbound.web.canary.web.json"]


def test_new_clusters_come_before_the_routes_that_name_them() -> None:
    before = envoy.compile(weighted(90), replace(PLACEMENT, outbound=PLACEMENT.outbound[:1]))
    changes = envoy.compile(weighted(90), PLACEMENT).changes(before)
    assert [path for path, _ in changes] == [
        "cds.json", "rds/outbound.web.canary.web.json", "lds.json",
    ]  # fmt: skip


@pytest.mark.parametrize(("said", "other"), [("", False), ("true", True), ("false", False)])
def test_a_retry_leaves_the_pod_of_its_hash_only_when_told_to(said: str, other: bool) -> None:
    retries = "attempts: 2" + (f", retryIgnorePreviousHosts: {said}" if said else "")
    hashed = TRACKS + (
        "  trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: x-user}}}\n"
    )
    http = f"[{{retries: {{{retries}}}, route: [{{destination: {{host: web, subset: stable}}}}]}}]"
    files = envoy.compile(read(GATEWAY, SERVICE, hashed, rules(http)), PLACEMENT).files
    (group,) = json.loads(files["rds/gateway.json"])["resources"]
    (action,) = (
        route["route"]
        for host in group["virtual_hosts"]
        for route in host["routes"]
        if "retry_policy" in route.get("route", {})
    )
    assert action["hash_policy"]
    assert ("retry_host_predicate" in action["retry_policy"]) == other


def test_pods_are_chosen_by_selector_subset_and_named_port() -> None:
    resources = envoy.compile(weighted(90), PLACEMENT)
    assert pods(resources, "stable") == [("127.9.9.10", 8080)]
    assert pods(resources, "canary") == [("127.9.9.11", 8081)]
    assert pods(resources, "") == [("127.9.9.10", 8080), ("127.9.9.11", 8081)]


def test_a_cluster_names_port_subset_service_and_source() -> None:
    resources = envoy.compile(weighted(90), PLACEMENT)
    found = [
        names.CLUSTER_NAME.fullmatch(item["name"])
        for item in json.loads(resources.files["cds.json"])["resources"]
    ]
    parts = [match.groupdict() for match in found if match]
    assert [list(part.values()) for part in parts] == [
        ["80", "canary", "web", "gateway", None],
        ["80", "stable", "web", "gateway", None],
        ["80", "", "web", "web", "canary"],
        ["80", "", "web", "web", "stable"],
    ]


def test_each_cluster_and_each_list_of_routes_is_a_watch() -> None:
    resources = envoy.compile(weighted(90), PLACEMENT)
    assert resources.watches == 4 + 3 + 2


def test_the_gateway_listens_on_all_its_addresses_and_shares_no_port() -> None:
    listener = json.loads(envoy.compile(weighted(90), PLACEMENT).files["lds.json"])["resources"][0]
    addresses = [listener["address"], *(a["address"] for a in listener["additional_addresses"])]
    assert [item["socket_address"]["address"] for item in addresses] == ["127.0.0.1", "::1"]
    assert listener["enable_reuse_port"] is False


def test_watched_files_are_absolute() -> None:
    bootstrap = json.loads(envoy.compile(weighted(90), PLACEMENT).files["bootstrap.json"])
    paths = [
        source["path_config_source"]["path"] for source in bootstrap["dynamic_resources"].values()
    ]
    assert paths == ["/state/envoy/cds.json", "/state/envoy/lds.json"]
