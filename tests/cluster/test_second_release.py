"""A second release beside the first: refused on its host, at home on another, gone on uninstall.

It is as small as a release can be, keeps its models on a shared claim, and its database too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from serinus.visitors.journey import Client
from serinus.visitors.page import read
from tests.cluster.load import review
from tests.cluster.support import TRACKS, Release, address, named, run, run_any, smallest

KEPT = {"Secret/serinus-keys", "Secret/postgresql"}
CLAIMS = {"PersistentVolumeClaim/data-postgresql-0", "PersistentVolumeClaim/model-cache"}


@pytest.fixture(scope="module")
def second(release: Release) -> Iterator[Release]:
    mail = {"recipient": "nobody@example.org", "smarthost": "smtp.example.org:25"}
    with smallest("second", monitoring={"alertmanager": mail}) as second:
        yield second


async def page(release: Release, cookie: str = "") -> tuple[int, str]:
    client = Client(address(), release.host, None)
    if cookie:
        client.cookies["app-version"] = cookie
    status, text, _ = await client.request("GET", "/version", "version")
    await client.close()
    return status, text


def test_a_host_that_is_served_already_is_refused(release: Release, second: Release) -> None:
    host = f"hosts.frontend={release.host}"
    words, values = second.command("--set", host)
    done = run_any(*words, stdin=values)
    assert done.returncode
    assert f"{release.host} is served by Gateway" in done.stderr


def test_sqlite_is_refused(second: Release) -> None:
    words, values = second.command(
        "--set", "store.postgresql.enabled=false,store.sqlite.allow=true"
    )
    done = run_any(*words, stdin=values)
    assert done.returncode
    assert "SQLite can't be shared by pods on several nodes" in done.stderr


async def test_two_releases_answer_side_by_side(release: Release, second: Release) -> None:
    second.helm("--wait", "--timeout", "4m")
    for one in (release, second):
        for track in TRACKS:
            status, text = await page(one, track)
            assert status == 200
            assert f'"track":"{track}"' in text


def test_an_epoch_never_falls(second: Release) -> None:
    second.helm("--set", "rollout.epoch=3")
    words, values = second.command("--set", "rollout.epoch=2")
    done = run_any(*words, stdin=values)
    assert done.returncode
    assert "rollout.epoch: 2 is below 3" in done.stderr


async def test_models_are_found_again_without_the_registry(second: Release) -> None:
    """New pods start from the shared cache when the registry is not there any more."""
    second.helm("--set", "rollout.epoch=3,model.registry=/nowhere", "--wait", "--timeout", "4m")
    for track in TRACKS:
        pods = second.pods("model-service", track)
        second.kubectl("delete", "pod", *pods)
        second.kubectl("rollout", "status", f"deployment/model-service-{track}", "--timeout=120s")
        status, text = await page(second, track)
        assert (status, f'"track":"{track}"' in text) == (200, True)


def test_secrets_are_kept_over_upgrades(second: Release) -> None:
    def secrets() -> list[Any]:
        return [second.get("secret", name)["data"] for name in ("serinus-keys", "postgresql")]

    before = secrets()
    second.helm("--set", "rollout.epoch=4")
    assert secrets() == before


async def test_uninstall_leaves_what_is_documented(second: Release) -> None:
    """And a new install opens the same reviews to those who wrote them."""
    client = Client(address(), second.host, None)
    (name,) = await review(client)
    monitors = "servicemonitors,podmonitors,prometheusrules,alertmanagerconfigs"
    there = {name.partition("/")[0] for name in named(second.get(monitors)["items"])}
    assert there == {"ServiceMonitor", "PodMonitor", "PrometheusRule", "AlertmanagerConfig"}
    run("helm", "uninstall", "serinus", "-n", second.namespace, "--wait", "--timeout", "3m")
    second.kubectl("wait", "--for=delete", "pod", "--all", "--timeout=120s")
    kinds = "deploy,sts,svc,sa,cm,secret,pvc,hpa,pdb,netpol,gateways.networking.istio.io"
    kinds += ",virtualservices,destinationrules,peerauthentications,authorizationpolicies"
    left = named(second.get(f"{kinds},{monitors}")["items"])
    others = {name for name in left if name.split("/")[1] in {"default", "kube-root-ca.crt"}}
    others |= {name for name in left if name.startswith("ConfigMap/istio-ca-")}
    assert left - others == KEPT | CLAIMS
    filters = named(second.get("envoyfilters", "-A")["items"])
    assert not any("serinus-test-second" in name for name in filters)
    second.helm("--set", "rollout.epoch=5", "--wait", "--timeout", "4m")
    status, html, _ = await client.request("GET", f"/reviews/{name}", "result")
    await client.close()
    assert (status, read(html).sentiment) == (200, "positive")
