"""The cluster's Prometheus scrapes every part, knows every rule and answers every dashboard.

A new monitor is taken up after up to 3 minutes, so these tests wait.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from serinus.visitors.crowd import Crowd
from serinus.visitors.journey import Client, LabelledReview
from tests.cluster.load import FORCED, review
from tests.cluster.support import APPS, TRACKS, Release, address, prometheus


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


EXCEPTED = {
    "serinus_event_store_capacity_bytes": "PostgreSQL does not know how large its volume is",
}
"""Metrics that a cluster of this kind doesn't have; a query that names one is not asked."""


def panels(release: Release) -> list[tuple[str, str]]:
    """Title and query of every panel, from the ConfigMaps that Grafana's sidecar reads."""
    found = []
    for item in release.get("configmaps", "-l", "grafana_dashboard=1")["items"]:
        for text in item["data"].values():
            board = json.loads(text)
            found += [
                (f"{board['title']}: {panel['title']}", target["expr"])
                for panel in board["panels"]
                for target in panel.get("targets", ())
            ]
    return found


def answered(query: str) -> bool:
    return any(
        series["value"][1] != "NaN"
        for series in prometheus(f"query?query={quote(query)}")["result"]
    )


async def test_every_panel_of_every_dashboard_has_an_answer(release: Release) -> None:
    """With the proxies of the rig too: Envoy's statistics are relabelled to Istio's names.

    The visitors contradict the model, so that every kind of feedback occurs.
    """
    asked = [
        (title, expanded(release, query))
        for title, query in panels(release)
        if not any(name in query for name in EXCEPTED)
    ]
    assert len(asked) > 40
    until(lambda: answered(f'serinus_build_info{{namespace="{release.namespace}"}}'))
    reviews = [
        LabelledReview("Wonderful food and a kind waiter.", "negative"),
        LabelledReview("The soup was cold and the waiter rude.", "negative"),
    ]
    crowd = Crowd(120, 12, reviews, address(), release.host, own_addresses=False, at_once=6)
    async for journey in crowd.journeys():
        assert journey.trouble is None
    empty: list[str] = []

    def all_answered() -> bool:
        empty[:] = [f"{title}: {query}" for title, query in asked if not answered(query)]
        return not empty

    until(all_answered, 90)
    assert empty == [], "\n".join(empty)


def expanded(release: Release, query: str) -> str:
    """A query with Grafana's variables filled in."""
    for name, value in {
        "$namespace": release.namespace,
        "$release": "serinus",
        "$track": ".*",
        "$__rate_interval": "2m",
        "$__range": "15m",
    }.items():
        query = query.replace(name, value)
    return query


LETTERS = """
import json
from pathlib import Path
from serinus.mail.mailbox import Mailbox
found = Mailbox(Path("/mail/box")).letters()
print(json.dumps([[item.recipients, item.subject, item.text] for item in found]))
"""


def reach(release: Release, version: str) -> None:
    """Let the canary's subset of model-service be the pods of that version."""
    rule = release.get("destinationrule", "model-service")
    names = [subset["name"] for subset in rule["spec"]["subsets"]]
    path = f"/spec/subsets/{names.index('canary')}/labels/version"
    patch = [{"op": "replace", "path": path, "value": version}]
    words = ("patch", "destinationrule", "model-service", "--type=json", "-p", json.dumps(patch))
    release.kubectl(*words)


async def forced(release: Release) -> bool:
    """Did the canary take a review of a visitor who asks for it?"""
    client = Client(address(), release.host, None)
    client.cookies = dict(FORCED)
    try:
        return bool(await review(client))
    finally:
        await client.close()


async def recovered(release: Release) -> None:
    """Wait until every proxy knows the canary's pods again: several reviews in a row are taken."""
    taken = 0
    async with asyncio.timeout(60):
        while taken < 12:
            taken = taken + 1 if await forced(release) else 0


async def test_the_canarys_failure_is_mailed(release: Release, post: Release) -> None:
    """Its model-service is out of reach: what its visitors write fails, and nobody else's.

    Its pods stay: while Prometheus sees pods go, ServiceDown speaks in place of what follows, for
    two minutes (tests/rules).
    """

    def mailed() -> list[list[str]]:
        return [
            letter
            for letter in json.loads(post.python("smtp", LETTERS))
            if letter[1].startswith("[FIRING] CanaryErrors")
        ]

    async def write() -> None:
        while True:
            await forced(release)

    writers = [asyncio.create_task(write()) for _ in range(3)]
    try:
        reach(release, "none")
        began = time.monotonic()
        found = await asyncio.to_thread(until, mailed, 300)
        print(f"\nfrom the canary's failure to the mail: {time.monotonic() - began:.0f} s")
    finally:
        for writer in writers:
            writer.cancel()
        ended = await asyncio.gather(*writers, return_exceptions=True)
        reach(release, "canary")
        await recovered(release)
    assert [type(one) for one in ended] == [asyncio.CancelledError] * len(writers), ended
    assert found, post.kubectl("logs", "smtp")
    recipients, subject, text = found[0]
    assert recipients == "operator@example.org"
    assert subject.endswith("(canary)")
    assert "serinus rollout abort" in text
