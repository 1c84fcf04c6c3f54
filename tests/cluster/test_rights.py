"""A release in a namespace of its own, by a user without any right outside of it.

The fixture has installed it with `serinus deploy`. The tests follow one another; autoscaling is
switched on early, since its first figures take half a minute.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.limited import Limited
from tests.cluster.support import run

SWITCHES = "gateway.rateLimit.enabled=true,gateway.checkHosts=true"
SCALED = "app-frontend-stable"
AUTOSCALING = "workloads.app-frontend.autoscaling"
SCALING = f"{AUTOSCALING}.enabled=true,{AUTOSCALING}.minReplicas=1,{AUTOSCALING}.maxReplicas=3"


def revision(user: Limited) -> int:
    told: dict[str, Any] = json.loads(
        user.any(
            "helm", "list", "-n", user.release.namespace, "--filter", "^serinus$", "-o", "json"
        ).stdout
    )[0]
    return int(told["revision"])


def replicas(user: Limited) -> int:
    return int(user.release.get("deployment", SCALED)["spec"]["replicas"])


def test_the_user_may_do_nothing_outside_of_the_namespace(small: Limited) -> None:
    for words in (
        ("list", "gateways.networking.istio.io", "-A"),
        ("create", "envoyfilters.networking.istio.io", "-n", "istio-system"),
        ("list", "storageclasses"),
        ("list", "nodes"),
        ("get", "namespaces", "-A"),
        ("list", "secrets", "-n", "default"),
    ):
        done = small.any("kubectl", "auth", "can-i", *words)
        assert done.stdout.strip() == "no", words


def test_every_missing_right_is_named_at_once_before_any_change(small: Limited) -> None:
    before = revision(small)
    for words in (("deploy",), ("deploy", "--diff"), ("deploy", "--dry-run")):
        said = small.refused(*words, *small.files, "--set", SWITCHES)
        for what in (
            "the right to get, create, patch and delete envoyfilters in namespace istio-system",
            "gateway.rateLimit.enabled=false goes without",
            "the right to list gateways in all namespaces",
            "gateway.checkHosts=false goes without",
        ):
            assert what in " ".join(said.split()), said
    assert revision(small) == before


def test_autoscaling_is_switched_on_by_plain_helm_and_keeps_the_pods(small: Limited) -> None:
    assert replicas(small) == 2
    small.helm("--set", SCALING, "--wait", "--timeout", "3m")
    assert replicas(small) == 2


def test_serinus_shows_changes_and_leads_back(small: Limited) -> None:
    same = ("deploy", *small.files, "--set", SCALING, "--diff")
    assert "no difference" in small.serinus(*same)
    assert "revision" in small.serinus("deploy", "--history")
    assert "ready" in small.serinus("status")
    assert '"message"' in small.serinus("logs", "app-frontend/stable", "--lines", "5")
    small.serinus("rollout", "set", "--canary", "40")
    assert "40 %" in small.serinus("rollout", "show")
    assert "back to revision" in small.serinus("deploy", "--rollback")
    assert "10 %" in small.serinus("rollout", "show")


def test_the_gateways_address_is_asked_for_where_it_may_not_be_seen(small: Limited) -> None:
    assert "--gateway HOST:PORT" in small.refused("simulate", "--visitors", "1")


@pytest.fixture
def more(small: Limited) -> Iterator[Limited]:
    """The same user with the rights beyond the namespace."""
    try:
        small.grant_more()
        yield small
    finally:
        small.forget()


def test_the_roles_beyond_the_namespace_are_all_that_the_switches_need(more: Limited) -> None:
    more.serinus("deploy", *more.files, "--set", f"{SCALING},{SWITCHES}")
    filters = ("kubectl", "get", "-n", "istio-system", "envoyfilters", "-o", "name")
    name = f"/{more.release.namespace}.serinus-rate-limit"
    assert name in run(*filters)
    more.helm("--set", SCALING)
    assert name not in run(*filters)
    assert replicas(more) == 2


def test_the_autoscaler_sees_the_containers_own_use(small: Limited) -> None:
    small.release.kubectl(
        "wait", "--for=condition=ScalingActive", f"hpa/{SCALED}", "--timeout=120s"
    )
    deadline = time.monotonic() + 60
    while not (seen := small.release.get("hpa", SCALED)["status"].get("currentMetrics")):
        assert time.monotonic() < deadline, "no metric after 60 s"
        time.sleep(1)
    (metric,) = seen
    assert metric["type"] == "ContainerResource"
    assert metric["containerResource"]["container"] == "app"
    assert metric["containerResource"]["current"]["averageUtilization"] >= 0
    assert replicas(small) == 2
