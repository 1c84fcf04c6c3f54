"""Restarts, weight changes and lost pods under load: failed requests are counted."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

import pytest
import yaml

from serinus.errors import SerinusError
from serinus.visitors.journey import Client
from serinus.visitors.page import read
from tests.cluster.support import (
    APPS,
    RIG,
    ROOT,
    TRACKS,
    VALUES,
    Release,
    address,
    run,
    spawn,
)

VISITORS = 6


@dataclass
class Load:
    """What visitors met while something changed."""

    met: Counter[str] = field(default_factory=Counter)
    written: list[str] = field(default_factory=list)
    running: bool = True

    @property
    def failed(self) -> dict[str, int]:
        right = {"page 200", "review 303", "result 200"}
        return {name: count for name, count in self.met.items() if name not in right}

    async def visit(self, release: Release) -> None:
        """A new visitor writes one review, again and again, until the load ends."""
        while self.running:
            client = Client(address(), release.host, None)
            try:
                status, html, _ = await client.request("GET", "/", "page")
                if status != 200:
                    continue
                form = read(html).form("/reviews")
                status, _, location = await client.request(
                    "POST",
                    form.action,
                    "review",
                    {**form.fields, "text": "Warm bread, kind staff."},
                )
                if status == 303:
                    self.written.append(location.rpartition("/")[2])
                    await client.request("GET", location, "result")
            except SerinusError as error:
                self.met[f"trouble {error}"] += 1
            finally:
                self.met.update(f"{one.kind} {one.status}" for one in client.meetings)
                await client.close()
                await asyncio.sleep(0.2)


@asynccontextmanager
async def under_load(release: Release, what: str) -> AsyncIterator[Load]:
    load = Load()
    async with asyncio.TaskGroup() as group:
        for _ in range(VISITORS):
            group.create_task(load.visit(release))
        try:
            yield load
        finally:
            load.running = False
    print(f"\n{what}: {sum(load.failed.values())} of {load.met.total()} failed {load.failed}")
    kept: set[str] = set()
    for first in range(0, len(load.written), 500):
        names = "','".join(load.written[first : first + 500])
        kept |= set(release.sql(f"SELECT id FROM reviews WHERE id IN ('{names}')"))
    assert set(load.written) - kept == set(), "a review that was answered is not in the database"
    assert load.written


async def restarted(release: Release, app: str) -> None:
    kubectl = ("kubectl", "-n", release.namespace)
    await spawn(*kubectl, "rollout", "restart", "deployment", "-l", f"app={app}")
    for track in TRACKS:
        await spawn(*kubectl, "rollout", "status", f"deployment/{app}-{track}", "--timeout=180s")


def starts(release: Release, app: str) -> list[int]:
    """Seconds from each container's start until its pod was ready."""
    found = []
    for pod in release.get("pods", "-l", f"app={app}")["items"]:
        ready = next(c for c in pod["status"]["conditions"] if c["type"] == "Ready")
        running = pod["status"]["containerStatuses"][0]["state"].get("running")
        if ready["status"] == "True" and running:
            began = datetime.fromisoformat(running["startedAt"])
            found.append((datetime.fromisoformat(ready["lastTransitionTime"]) - began).seconds)
    return sorted(found)


@pytest.mark.parametrize("app", APPS)
async def test_a_rolling_restart_fails_no_request(release: Release, app: str) -> None:
    async with under_load(release, f"rolling restart of {app}") as load:
        await restarted(release, app)
    print(f"from start to ready: {starts(release, app)} s (clocks of whole seconds)")
    assert load.failed == {}


@pytest.fixture(scope="session")
def next_tag() -> str:
    """A second tag of the three images: on the rig the same image by another name."""
    if named := os.environ.get("SERINUS_TEST_NEXT_TAG"):
        return named
    if not (RIG / "node.pid").exists():
        pytest.skip("SERINUS_TEST_NEXT_TAG names no second tag of the images")
    image = yaml.safe_load(VALUES.read_text())["image"]
    for app in APPS:
        name = f"{image['registry']}/{app}"
        run(
            sys.executable, str(ROOT / "tools/cluster/rig"), "exec", "ctr", "--address",
            "/run/serinus-cluster/containerd.sock", "-n", "k8s.io", "images", "tag", "--force",
            f"{name}:{image['tag']}", f"{name}:next",
        )  # fmt: skip
    return "next"


async def test_an_image_change_fails_no_request(release: Release, next_tag: str) -> None:
    """Every pod of the application is replaced by one of the new image, all apps at once."""
    try:
        async with under_load(release, "another image for all") as load:
            await release.change("--set", f"image.tag={next_tag}", "--wait", "--timeout", "5m")
        assert load.failed == {}
        for app in APPS:
            for pod in release.get("pods", "-l", f"app={app}")["items"]:
                if "deletionTimestamp" not in pod["metadata"]:
                    assert pod["spec"]["containers"][0]["image"].endswith(f":{next_tag}")
    finally:
        release.helm("--wait", "--timeout", "5m")


async def test_20_weight_changes_fail_no_request(release: Release) -> None:
    try:
        async with under_load(release, "20 weight changes") as load:
            for number in range(20):
                canary = 10 + 40 * (number % 2)
                weights = f"rollout.weights.stable={100 - canary},rollout.weights.canary={canary}"
                # The API server checks them too; helm's own check takes two seconds of each.
                await release.change("--set", weights, "--disable-openapi-validation")
        assert load.failed == {}
    finally:
        release.helm()


async def test_a_deleted_pod_of_each_app_fails_no_request(release: Release) -> None:
    async with under_load(release, "one pod of each app and track deleted") as load:
        for app in APPS:
            pods = [release.pods(app, track)[0] for track in TRACKS]
            await spawn("kubectl", "-n", release.namespace, "delete", "pod", *pods)
            await spawn(
                "kubectl", "-n", release.namespace, "wait", "--for=condition=Ready", "pod",
                "-l", f"app={app}", "--timeout=120s",
            )  # fmt: skip
    assert load.failed == {}


async def test_without_its_pods_the_canary_fails_its_own_visitors_only(release: Release) -> None:
    """Nobody is served by stable in the canary's name, and stable's visitors notice nothing."""
    met: dict[str, Counter[str]] = {track: Counter() for track in TRACKS}
    running = True

    async def ask(track: str) -> None:
        while running:
            client = Client(address(), release.host, None)
            client.cookies["app-version"] = track
            status, _, _ = await client.request("GET", "/", "page")
            served = {by for _, by in client.meetings[0].hops}
            met[track][f"{status} {','.join(sorted(served))}"] += 1
            await client.close()
            await asyncio.sleep(0.1)

    async with asyncio.TaskGroup() as group:
        for track in TRACKS:
            group.create_task(ask(track))
        try:
            kubectl = ("kubectl", "-n", release.namespace)
            await spawn(*kubectl, "delete", "pod", "-l", "version=canary", "--wait=false")
            for app in APPS:
                await spawn(*kubectl, "rollout", "status", f"deployment/{app}-canary")
        finally:
            running = False
    print(f"\nevery pod of the canary deleted: {met}")
    assert set(met["stable"]) == {"200 stable"}
    assert "200 stable" not in met["canary"]
    async with under_load(release, "the canary is back") as load:
        await asyncio.sleep(2)
    assert load.failed == {}


async def test_without_istiod_for_30_seconds_no_request_fails(release: Release) -> None:
    """Proxies go on with what they know; new pods are not promised meanwhile."""
    kubectl = ("kubectl", "-n", "istio-system")
    before = await spawn(*kubectl, "get", "deployment/istiod", "-o", "jsonpath={.spec.replicas}")
    try:
        async with under_load(release, "istiod away for 30 s") as load:
            await spawn(*kubectl, "scale", "deployment/istiod", "--replicas=0")
            await spawn(*kubectl, "wait", "--for=delete", "pod", "-l", "app=istiod")
            await asyncio.sleep(30)
        assert load.failed == {}
    finally:
        await spawn(*kubectl, "scale", "deployment/istiod", f"--replicas={before.strip()}")
        await spawn(*kubectl, "rollout", "status", "deployment/istiod", "--timeout=120s")
