"""Restarts, weight changes and lost pods under load: failed requests are counted."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import datetime

import pytest
import yaml

from serinus.contracts.routing import VERSION_COOKIE
from tests.cluster.istiod import start_istiod, stop_istiod
from tests.cluster.load import FEW, FORCED, RIGHT, in_force, under_load
from tests.cluster.support import APPS, ROOT, TRACKS, VALUES, Release, on_rig, run, spawn


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
        statuses = pod["status"]["containerStatuses"]
        running = next(s for s in statuses if s["name"] == "app")["state"].get("running")
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
def next_tag(cluster: None) -> str:
    """A second tag of the three images: on the rig the same image by another name."""
    if named := os.environ.get("SERINUS_TEST_NEXT_TAG"):
        return named
    if not on_rig():
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
    """Every pod of the application is replaced by one of the new image, all apps at once.

    The release keeps that image for the tests that follow.
    """
    release.values["image"] = {"tag": next_tag}
    async with under_load(release, "another image for all") as load:
        await release.change("--wait", "--timeout", "5m")
    assert load.failed == {}
    for app in APPS:
        for pod in release.get("pods", "-l", f"app={app}")["items"]:
            if "deletionTimestamp" not in pod["metadata"]:
                (image,) = (c["image"] for c in pod["spec"]["containers"] if c["name"] == "app")
                assert image.endswith(f":{next_tag}")


async def test_20_weight_changes_fail_no_request(release: Release) -> None:
    """Each is in force before the next one: a new visitor's cookie names the weight of its draw."""
    try:
        async with under_load(release, "20 weight changes", FEW) as load:
            for number in range(20):
                canary = 11 + number + 30 * (number % 2)
                weights = f"rollout.weights.stable={100 - canary},rollout.weights.canary={canary}"
                # Monitoring's objects take helm a third of its time, and its own check of what the
                # API server checks too a second.
                flags = ("--disable-openapi-validation", "--set", "monitoring.enabled=false")
                await release.change("--set", weights, *flags)
                await in_force(release, canary)
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
    kubectl = ("kubectl", "-n", release.namespace)
    pods = ("pod", "-l", "version=canary")
    visitors = {"stable": {VERSION_COOKIE: "stable"}, "canary": FORCED}
    names = ("-o", "jsonpath={.items[*].metadata.name}")
    before = (await spawn(*kubectl, "get", *pods, *names)).split()
    assert len(before) >= len(APPS)
    async with under_load(release, "every pod of the canary deleted", visitors) as load:
        await spawn(*kubectl, "delete", *pods, "--wait=false")
        # Once the last of them is gone, the label finds those that took their places only.
        await spawn(*kubectl, "wait", "--for=delete", "pod", *before, "--timeout=120s")
        await spawn(*kubectl, "wait", "--for=condition=Ready", *pods, "--timeout=120s")
        after = (await spawn(*kubectl, "get", *pods, *names)).split()
        assert (len(after), set(after) & set(before)) == (len(before), set())
        await load.reached("canary", "canary")
    print(load.met)
    assert load.met["stable"].keys() <= RIGHT, load.met
    assert any(name.split()[1] == "503" for name in load.met["canary"]), load.met
    assert not any("stable" in name for name in load.met["canary"]), load.met
    async with under_load(release, "the canary is back") as load:
        pass
    assert load.failed == {}


async def test_without_istiod_for_30_seconds_no_request_fails(release: Release) -> None:
    """Proxies go on with what they know; new pods are not promised meanwhile."""
    kubectl = ("kubectl", "-n", "istio-system")
    stop_istiod()
    try:
        async with under_load(release, "istiod away for 30 s") as load:
            await spawn(*kubectl, "wait", "--for=delete", "pod", "-l", "app=istiod")
            await asyncio.sleep(30)
        assert load.failed == {}
    finally:
        start_istiod()
