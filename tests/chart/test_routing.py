"""The routing contract of docs/architecture.md, word for word, in the rendered objects."""

from __future__ import annotations

import re
from typing import Any

import pytest

from serinus.contracts.routing import COOKIE_MAX_AGE
from serinus.manifests import Index
from tests.chart.support import NAMESPACE, one, render, rules, scenario

PAGES = "app-frontend-gateway"
API = "app-service-gateway"


def names(index: Index, service: str = PAGES) -> list[str]:
    return [rule["name"] for rule in rules(index, service) if not rule["name"].endswith("-get")]


def rule(index: Index, name: str, service: str = PAGES) -> Any:
    return next(entry for entry in rules(index, service) if entry["name"] == name)


def target(entry: Any) -> tuple[str, str]:
    (route,) = entry["route"]
    return route["destination"]["host"], route["destination"]["subset"]


def test_rules_come_in_the_contract_s_order() -> None:
    assert names(scenario("default-cluster")) == [
        "assets-stable", "assets-canary", "returning-stable", "returning-canary", "draw",
    ]  # fmt: skip


@pytest.mark.parametrize("service", [PAGES, API, "app-service", "model-service"])
def test_each_rule_has_its_twin_for_get_just_before_it(service: str) -> None:
    found = rules(scenario("api-exposed"), service)
    for get, other in zip(found[::2], found[1::2], strict=True):
        assert get["name"] == f"{other['name']}-get"
        assert get["route"] == other["route"]
        assert get.get("headers") == other.get("headers")
        assert get["timeout"] == other["timeout"]
        matches = other.get("match", [{}])
        assert get["match"] == [{"method": {"exact": "GET"}} | match for match in matches]
        assert "reset" in get["retries"]["retryOn"].split(",")
        assert "reset" not in other["retries"]["retryOn"].split(",")
        assert not re.search(r"5xx|50\d|gateway-error", get["retries"]["retryOn"])
        assert "connect-failure" in other["retries"]["retryOn"].split(",")


def test_retries_last_longer_than_a_restart() -> None:
    retries = rule(scenario("default-cluster"), "draw")["retries"]
    base, attempts = 0.1, retries["attempts"]
    assert retries["backoff"] == "100ms"
    # Envoy's pauses are random, half of the exponential one on average, up to ten times the base.
    mean = sum(min(base * 2**number, 10 * base) / 2 for number in range(attempts))
    assert mean > 5


def test_retries_can_be_left_out() -> None:
    """Istio refuses conditions beside 0 attempts."""
    index = render({"traffic": {"retries": {"attempts": 0}}, "api": {"expose": True}})
    for service in (PAGES, API, "app-service", "model-service"):
        for entry in rules(index, service):
            assert entry["retries"] == {"attempts": 0}


def drawn(index: Index) -> dict[str, tuple[int, str, str]]:
    found = {}
    for route in rule(index, "draw")["route"]:
        headers = route["headers"]
        found[route["destination"]["subset"]] = (
            route["weight"],
            headers["request"]["set"]["x-assignment"],
            headers["response"]["add"]["set-cookie"],
        )
    return found


def test_a_draw_gives_the_cookie_of_track_epoch_and_the_canary_s_weight() -> None:
    attributes = f"Path=/; Max-Age={COOKIE_MAX_AGE}; HttpOnly; SameSite=Lax"
    index = render({"rollout": {"epoch": 7, "weights": {"stable": 75, "canary": 25}}})
    assert drawn(index) == {
        "stable": (75, "stable.7.25", f"app-version=stable.7.25; {attributes}"),
        "canary": (25, "canary.7.25", f"app-version=canary.7.25; {attributes}"),
    }


def test_the_cookie_is_secure_under_tls_only() -> None:
    for _, _, cookie in drawn(scenario("tls")).values():
        assert cookie.endswith("; Secure")
    for _, _, cookie in drawn(scenario("default-cluster")).values():
        assert "Secure" not in cookie


COOKIES = [
    # header, decided for: stable, canary, or drawn again
    ("app-version=canary.7.10", "canary"),
    ("app-version=stable.7.90", "stable"),
    ("app-version=canary", "canary"),
    ("a=b; app-version=canary.7.10; c=d", "canary"),
    ("a=b;\tapp-version=canary", "canary"),
    ("app-version=canary.7.10 ; c=d", "canary"),
    ("app-version=canary; app-version=stable", "stable"),
    ("app-version=canary.6.10", "draw"),
    ("app-version=canary.70.10", "draw"),
    ("app-version=canary.7", "draw"),
    ("app-version=canary.7.", "draw"),
    ("app-version=canary.7.1x", "draw"),
    ("app-version=canary2", "draw"),
    ("app-version=Canary", "draw"),
    ("APP-VERSION=canary", "draw"),
    ("xapp-version=canary", "draw"),
    ("x=app-version=canary", "draw"),
    ("x=1,app-version=canary", "draw"),
    ('app-version="canary"', "draw"),
    ("app-version=%63anary", "draw"),
    ("app-version", "draw"),
    ("", "draw"),
    ("a=" + "b" * 8000 + "; app-version=canary.7.10", "canary"),
]


@pytest.mark.parametrize(("header", "decision"), COOKIES)
def test_the_cookie_is_matched_whole(header: str, decision: str) -> None:
    index = scenario("two-hosts")
    found = "draw"
    for name in ("returning-stable", "returning-canary"):
        (match,) = rule(index, name)["match"]
        if found == "draw" and re.fullmatch(match["headers"]["cookie"]["regex"], header):
            found = name.removeprefix("returning-")
    assert found == decision


def test_the_gateway_strips_what_only_the_mesh_may_say() -> None:
    inside = {"x-user", "x-app-version", "x-caller", "x-client-class"}
    for entry in rules(scenario("api-exposed"), PAGES):
        removed = set(entry["headers"]["request"]["remove"])
        if entry["name"].startswith("draw"):
            # The draw sets x-assignment itself; removing it on the route would delete it again.
            assert removed == inside
        else:
            assert removed == inside | {"x-assignment"}


def test_assets_follow_their_track_and_never_assign() -> None:
    index = scenario("default-cluster")
    for track in ("stable", "canary"):
        entry = rule(index, f"assets-{track}")
        assert entry["match"] == [{"uri": {"prefix": f"/assets/{track}/"}}]
        assert target(entry) == ("app-frontend", track)
        assert "response" not in entry["headers"]


def test_inside_the_mesh_the_track_follows_the_caller() -> None:
    for name in ("default-cluster", "canary-off", "canary-enabled-not-routed"):
        index = scenario(name)
        for app, caller in (("app-service", "app-frontend"), ("model-service", "app-service")):
            spec = one(index, "VirtualService", app).spec
            assert (spec["hosts"], spec["gateways"]) == ([app], ["mesh"])
            for track in ("stable", "canary"):
                entry = rule(index, f"from-{track}", app)
                assert entry["match"] == [{"sourceLabels": {"app": caller, "version": track}}]
                assert target(entry) == (app, track)


def test_subsets_of_both_tracks_are_always_there() -> None:
    for item in scenario("canary-off").of("DestinationRule"):
        assert [entry["name"] for entry in item.spec["subsets"]] == ["stable", "canary"]


def test_without_canary_its_weight_rules_and_deployments_go_in_one_step() -> None:
    index = scenario("canary-off")
    assert names(index) == ["assets-stable", "assets-canary", "returning-stable", "draw"]
    assert target(rule(index, "assets-canary")) == ("app-frontend", "stable")
    assert list(drawn(index)) == ["stable"]
    assert drawn(index)["stable"][:2] == (100, "stable.8.0")
    assert [item.name for item in index.of("Deployment") if "canary" in item.name] == []


def test_a_canary_that_is_not_routed_runs_and_meets_nobody() -> None:
    index = scenario("canary-enabled-not-routed")
    assert len([item for item in index.of("Deployment") if item.name.endswith("-canary")]) == 3
    assert "returning-canary" not in names(index)
    assert drawn(index)["stable"][:2] == (100, "stable.9.0")


def test_weight_zero_keeps_the_canary_s_visitors() -> None:
    index = render({"rollout": {"weights": {"stable": 100, "canary": 0}}})
    assert "returning-canary" in names(index)
    assert drawn(index)["canary"][0] == 0


def test_a_weight_changes_the_gateway_s_routes_and_the_rules_that_record_it() -> None:
    before, after = (
        {str(item): item.raw for item in render({"rollout": {"weights": weights}})}
        for weights in ({"stable": 90, "canary": 10}, {"stable": 75, "canary": 25})
    )
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {f"VirtualService {PAGES}", "PrometheusRule rollout"}


def test_the_api_s_clients_force_a_track_by_header_or_meet_stable() -> None:
    index = scenario("api-exposed")
    assert names(index, API) == ["forced-stable", "forced-canary", "stable"]
    forced = rule(index, "forced-canary", API)
    assert forced["match"] == [{"headers": {"x-app-version": {"exact": "canary"}}}]
    assert target(forced) == ("app-service", "canary")
    assert forced["headers"]["request"]["set"] == {"x-assignment": "canary"}
    assert target(rule(index, "stable", API)) == ("app-service", "stable")
    removed = rule(index, "stable", API)["headers"]["request"]["remove"]
    assert set(removed) == {"x-user", "x-assignment", "x-caller", "x-client-class"}
    off = render({"api": {"expose": True}, "rollout": {"canary": {"routed": False}}})
    assert names(off, API) == ["forced-stable", "stable"]


def test_the_api_is_not_at_the_gateway_unless_exposed() -> None:
    index = scenario("default-cluster")
    assert index.get("VirtualService", API) is None
    (server,) = one(index, "Gateway", "gateway").spec["servers"]
    assert server["hosts"] == ["./app-frontend.k8s.local"]


def test_model_service_keeps_a_visitor_at_one_pod() -> None:
    index = scenario("default-cluster")
    policy = one(index, "DestinationRule", "model-service").spec["trafficPolicy"]
    assert policy["loadBalancer"]["consistentHash"] == {"httpHeaderName": "x-user"}


@pytest.mark.parametrize(
    ("scene", "gateway", "api"),
    [("default-cluster", "istio-system", False), ("two-hosts", "edge", True)],
)
def test_routes_are_seen_where_they_are_asked_for(scene: str, gateway: str, api: bool) -> None:
    """A mesh may hide what names nobody, and tells every tenant otherwise."""
    index = scenario(scene)
    outside = {PAGES, "app-frontend", *((API, "app-service") if api else ())}
    for kind in ("VirtualService", "DestinationRule"):
        for item in index.of(kind):
            inner = item.spec.get("gateways") == ["mesh"]
            seen = [".", gateway] if item.name in outside and not inner else ["."]
            assert item.spec["exportTo"] == seen, str(item)


def test_a_gateway_beside_the_release_is_named_once() -> None:
    index = render({"gateway": {"namespace": NAMESPACE}})
    for item in index.of("VirtualService"):
        assert item.spec["exportTo"] == ["."]


def test_a_retry_goes_to_another_pod() -> None:
    """A hash would choose the same dead one."""
    for item in scenario("default-cluster").of("VirtualService"):
        for entry in item.spec["http"]:
            assert entry["retries"]["retryIgnorePreviousHosts"] is True


def test_outlier_detection_keeps_no_request_in_one_zone() -> None:
    for item in scenario("default-cluster").of("DestinationRule"):
        balancer = item.spec["trafficPolicy"]["loadBalancer"]
        assert balancer["localityLbSetting"] == {"enabled": False}


def test_outlier_detection_never_empties_a_track_of_one_pod() -> None:
    for item in scenario("local-run").of("DestinationRule"):
        detection = item.spec["trafficPolicy"]["outlierDetection"]
        assert (detection["maxEjectionPercent"], detection["minHealthPercent"]) == (100, 50)


def test_tls_redirects_and_tells_browsers_to_stay() -> None:
    index = scenario("tls")
    plain, secure = one(index, "Gateway", "gateway").spec["servers"]
    assert plain["tls"] == {"httpsRedirect": True}
    assert secure["port"] == {"number": 443, "name": "https", "protocol": "HTTPS"}
    assert secure["tls"]["credentialName"] == "reviews-example-org"
    for name in (PAGES, "grafana-gateway"):
        for entry in rules(index, name):
            header = entry["headers"]["response"]["set"]["strict-transport-security"]
            assert header == "max-age=31536000"


def test_the_gateway_s_selector_and_hosts_are_values() -> None:
    index = scenario("two-hosts")
    spec = one(index, "Gateway", "gateway").spec
    assert spec["selector"] == {"app": "edge", "tier": "public"}
    assert spec["servers"][0]["hosts"] == ["./reviews.example.org", "./api.reviews.example.org"]
    assert one(index, "EnvoyFilter", "demo.serinus-rate-limit").namespace == "edge"


def test_a_path_that_is_never_limited_may_hold_any_sign() -> None:
    index = render({"gateway": {"rateLimit": {"exemptPaths": ["/it's/", '/"<a+b>\\&/']}}})
    (patch,) = one(index, "EnvoyFilter", "demo.serinus-rate-limit").spec["configPatches"]
    config = patch["patch"]["value"]["typed_config"]
    (header,) = config["rate_limits"][0]["actions"][1]["header_value_match"]["headers"]
    regex = header["string_match"]["safe_regex"]["regex"]
    for target, exempt in (("/it's/x", True), ('/"<a+b>\\&/', True), ("/its/x", False)):
        assert bool(re.fullmatch(regex, target)) is exempt, target


def test_a_host_without_a_route_is_not_served() -> None:
    grafana = {"hosts": {"grafana": "grafana.example.org"}}
    for enabled in (True, False):
        index = render(grafana, {"monitoring": {"enabled": enabled}})
        (server,) = one(index, "Gateway", "gateway").spec["servers"]
        assert ("./grafana.example.org" in server["hosts"]) is enabled
        routed = {host for item in index.of("VirtualService") for host in item.spec["hosts"]}
        assert {host.removeprefix("./") for host in server["hosts"]} <= routed


def test_without_the_redirect_nothing_is_served_over_plain_http() -> None:
    """A Secure cookie would be lost there, and each page drawn anew."""
    tls = {
        "enabled": True,
        "credentialName": "reviews-example-org",
        "redirect": False,
        "port": 8443,
    }
    (server,) = one(render({"gateway": {"tls": tls}}), "Gateway", "gateway").spec["servers"]
    assert server["port"]["protocol"] == "HTTPS"
