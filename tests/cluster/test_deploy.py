"""`serinus deploy` and `serinus rollout` on a running cluster, alternating with plain `helm`.

One small release in a namespace of its own; the tests follow one another as an operator would.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.load import FORCED, NEW, Cookies, Load, drawn, under_load
from tests.cluster.support import APPS, TRACKS, VALUES, Release, environment, run_any, spawn

NAMESPACE = "serinus-test-deploy"
SERINUS = [str(Path(sys.executable).with_name("serinus"))]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    values: dict[str, Any] = {
        "hosts": {"frontend": "deploy.localhost", "api": "deploy-api.localhost"},
        "gateway": {"rateLimit": {"requestsPerSecond": 5000, "burst": 5000}},
        "workloads": {app: {"replicas": 1} for app in APPS},
        "monitoring": {"enabled": False},
    }
    path = tmp_path_factory.mktemp("deploy") / "values.yaml"
    path.write_text(yaml.safe_dump(values))
    return ("-f", str(VALUES), "-f", str(path))


@pytest.fixture(scope="module")
def placed(cluster: None, files: tuple[str, ...]) -> Iterator[Release]:
    values = yaml.safe_load(Path(files[-1]).read_text())
    release = Release(NAMESPACE, values)
    release.begin()
    try:
        assert "revision 1 ready" in serinus("deploy", *files)
        yield release
    finally:
        release.uninstall()


def serinus(*words: str, code: int = 0) -> str:
    """What the command prints, both outputs together, after the code that was expected."""
    done = run_any(*SERINUS, *words, "--namespace", NAMESPACE, timeout=420)
    assert done.returncode == code, f"{' '.join(words)}\n{done.stdout}{done.stderr}"
    assert f"namespace {NAMESPACE}" in done.stderr.splitlines()[0]
    return done.stdout + done.stderr


def shown() -> dict[str, Any]:
    done = run_any(*SERINUS, "rollout", "show", "--json", "--namespace", NAMESPACE)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def during(release: Release, *words: str, canary: Cookies, to: str) -> Load:
    """What new, forced and returning canary visitors meet while a command runs.

    `canary` are the cookies of one who was drawn for it, `to` is the track that ends up with those
    who ask for the canary.
    """
    visitors = {"new": NEW, "forced": FORCED, "drawn": canary}
    async with under_load(release, " ".join(words), visitors) as load:
        await spawn(*SERINUS, *words, "--namespace", NAMESPACE)
        await load.reached("forced", to)
    assert load.reviewed("forced") == set(TRACKS)
    return load


def test_a_deploy_is_what_helm_would_install(placed: Release, files: tuple[str, ...]) -> None:
    assert "no difference" in serinus("deploy", *files, "--diff")
    assert "kind: Deployment" in serinus("deploy", *files, "--dry-run")
    rows = json.loads(run_any(*SERINUS, "status", "--json", "--namespace", NAMESPACE).stdout)
    assert {row["state"] for row in rows["workloads"]} == {"ready"}
    assert len(rows["workloads"]) == 7
    assert '"message"' in serinus("logs", "app-frontend/stable", "--lines", "5")
    url = f"http://{placed.host}/"
    told = serinus("mesh", "explain", "GET", url, "--cookie", "app-version=canary")
    assert "app-frontend/canary, 100 %" in told


def test_a_weight_changed_by_hand_is_named_and_overwritten(placed: Release) -> None:
    routes = placed.get("virtualservice", "app-frontend-gateway")["spec"]["http"]
    patch = [
        {"op": "replace", "path": f"/spec/http/{number}/route/{at}/weight", "value": 50}
        for number, route in enumerate(routes)
        if route.get("name", "").startswith("draw")
        for at in (0, 1)
    ]
    placed.kubectl(
        "patch", "virtualservice", "app-frontend-gateway", "--type=json", "-p", json.dumps(patch)
    )
    now = shown()
    assert (now["weights"]["canary"], now["live"]["canary"]) == (10, 50)
    assert "stable 50 % and canary 50 % in the cluster" in now["changed_by_hand"][0]
    assert "overwrites a change by hand" in serinus("rollout", "set", "--canary", "30")
    now = shown()
    assert (now["weights"]["canary"], now["live"]["canary"]) == (30, 30)
    assert (now["epoch"], now["changed_by_hand"]) == (1, [])


def test_helm_and_deploy_alternate(placed: Release, files: tuple[str, ...]) -> None:
    placed.helm("--set", "rollout.weights.stable=80,rollout.weights.canary=20")
    assert shown()["weights"]["canary"] == 20
    serinus("deploy", *files)
    now = shown()
    assert (now["weights"]["canary"], now["epoch"]) == (20, 1)


async def test_off_and_on_lose_no_request_and_the_epoch_rises(placed: Release) -> None:
    canary = await drawn(placed)
    load = await during(placed, "rollout", "abort", canary=canary, to="stable")
    assert load.failed == {}
    assert load.reviewed("drawn") == set(TRACKS)
    assert (shown()["enabled"], shown()["epoch"]) == (False, 2)
    load = await during(placed, "rollout", "on", "--canary", "50", canary=canary, to="canary")
    assert load.failed == {}
    now = shown()
    assert (now["routed"], now["epoch"], now["live"]["canary"]) == (True, 3, 50)


async def test_leading_back_over_a_promotion_loses_no_request(placed: Release) -> None:
    canary = await drawn(placed)
    load = await during(placed, "rollout", "promote", canary=canary, to="stable")
    assert load.failed == {}
    assert load.reviewed("drawn") == set(TRACKS)
    assert (shown()["enabled"], shown()["epoch"]) == (False, 4)
    load = await during(placed, "deploy", "--rollback", canary=canary, to="canary")
    assert load.failed == {}
    now = shown()
    assert (now["routed"], now["epoch"], now["live"]["canary"]) == (True, 5, 50)
    assert "rollback to" in serinus("deploy", "--history")


def test_a_change_that_is_killed_is_named_and_led_out_of(placed: Release) -> None:
    before = shown()
    secret = f"secret/sh.helm.release.v1.serinus.v{before['revision'] + 1}"
    words = [*SERINUS, "rollout", "set", "--canary", "30", "--namespace", NAMESPACE]
    with subprocess.Popen(words, env={**os.environ, **environment()}) as process:
        placed.kubectl("wait", "--for=create", secret, "--timeout=60s")
        process.kill()
    assert placed.get(secret)["metadata"]["labels"]["status"] == "pending-upgrade"
    said = serinus("rollout", "set", "--canary", "40", code=1)
    assert "pending-upgrade" in said
    assert "`serinus deploy --rollback` leads back" in said
    assert "was cut off" in serinus("deploy", "--rollback")
    now = shown()
    assert {key: now[key] for key in ("epoch", "weights", "live")} == {
        key: before[key] for key in ("epoch", "weights", "live")
    }
    serinus("rollout", "set", "--canary", "40")


def test_a_broken_image_names_pod_and_reason_and_is_led_back(
    placed: Release, files: tuple[str, ...]
) -> None:
    wrong = "workloads.model-service.tracks.canary.image.tag=missing,image.pullPolicy=Never"
    said = serinus("deploy", *files, "--set", wrong, "--timeout", "120", code=1)
    assert "pod model-service-canary-" in said
    assert "ErrImageNeverPull" in said
    serinus("deploy", "--rollback")
    assert serinus("status")
