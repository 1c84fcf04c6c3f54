"""The cluster's Prometheus scrapes every part, and knows every rule.

A new monitor is taken up after up to 3 minutes, so these tests wait.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.cluster.support import APPS, TRACKS, Release, prometheus


def until(found: Callable[[], Any], seconds: float = 240) -> Any:
    """The first true result; the last one when time is up."""
    deadline = time.monotonic() + seconds
    while not (result := found()) and time.monotonic() < deadline:
        time.sleep(5)
    return result


def test_every_target_is_up(release: Release) -> None:
    """A pod that just ended may stay a target for one round of discovery."""

    def targets(up: bool) -> list[dict[str, Any]]:
        return [
            target
            for target in prometheus("targets?state=active")["activeTargets"]
            if target["labels"].get("namespace") == release.namespace
            and (target["health"] == "up") == up
        ]

    def services() -> Counter[str]:
        return Counter(
            target["labels"].get("service", target["labels"]["job"]) for target in targets(True)
        )

    wanted = {f"{app}-metrics": 2 * len(TRACKS) for app in APPS}
    until(lambda: wanted.items() <= services().items() and not targets(False))
    print(f"\ntargets up: {dict(services())}")
    assert wanted.items() <= services().items()
    assert [(target["scrapeUrl"], target["lastError"]) for target in targets(False)] == []


def test_every_rule_is_loaded_and_healthy(release: Release) -> None:
    wanted = {
        rule.get("alert") or rule["record"]
        for item in release.get("prometheusrules")["items"]
        for group in item["spec"]["groups"]
        for rule in group["rules"]
    }

    def loaded() -> dict[str, str]:
        return {
            rule["name"]: rule["health"]
            for group in prometheus("rules")["groups"]
            if f"/{release.namespace}-" in group["file"]
            for rule in group["rules"]
        }

    until(lambda: wanted == loaded().keys() and set(loaded().values()) == {"ok"})
    found = loaded()
    print(f"\n{len(found)} rules")
    assert wanted == found.keys()
    assert {name: health for name, health in found.items() if health != "ok"} == {}


def test_what_dashboards_and_experiments_ask_has_an_answer(release: Release) -> None:
    for query in (
        f'serinus_build_info{{namespace="{release.namespace}"}}',
        f'serinus_reviews_total{{namespace="{release.namespace}"}}',
        f'sum(istio_requests_total{{namespace="{release.namespace}"}})',
    ):
        assert until(lambda q=query: prometheus(f"query?query={quoted(q)}")["result"], 60), query


def quoted(query: str) -> str:
    from urllib.parse import quote

    return quote(query, safe="")
