"""From the chart released before this one: what it left is found again.

The packages of released charts lie in `charts/`; the newest of them is what people upgrade from.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from serinus.visitors.journey import Client
from serinus.visitors.page import read
from tests.cluster.support import (
    APPS,
    ROOT,
    TRACKS,
    Release,
    address,
    released_charts,
    smallest,
)

PREVIOUS = released_charts()[-1]


@pytest.fixture(scope="module")
def old(cluster: None) -> Iterator[Release]:
    """A small release of the previous chart, models on a shared claim."""
    with smallest("upgrade") as release:
        release.helm("--wait", "--timeout", "4m", chart=PREVIOUS)
        yield release


def kept(release: Release) -> dict[str, Any]:
    """What must stay: contents of Secrets, and which claims are bound to which volumes."""
    secrets = {name: release.get("secret", name)["data"] for name in ("serinus-keys", "postgresql")}
    claims = {
        item["metadata"]["name"]: (item["metadata"]["uid"], item["spec"]["volumeName"])
        for item in release.get("pvc")["items"]
    }
    return {**secrets, **claims}


async def test_an_upgrade_keeps_secrets_claims_and_data(old: Release) -> None:
    visitors: dict[str, Client] = {}
    paths: dict[str, str] = {}
    for track in TRACKS:
        client = visitors[track] = Client(address(), old.host, None)
        client.cookies["app-version"] = track
        _, html, _ = await client.request("GET", "/", "page")
        form = read(html).form("/reviews")
        written = {**form.fields, "text": f"Warm bread, kind staff, said {track}."}
        status, _, paths[track] = await client.request("POST", form.action, "review", written)
        assert status == 303
    before = kept(old)
    assert before.keys() == {"serinus-keys", "postgresql", "data-postgresql-0", "model-cache"}
    old.helm("--wait", "--timeout", "4m")
    assert old.kubectl("get", "deployments", "-o", "jsonpath={.items[*].metadata.labels}").count(
        f"serinus-{version()}"
    ) == len(APPS) * len(TRACKS)
    assert kept(old) == before
    for track, client in visitors.items():
        # The same visitor, known by the same key, finds the same review.
        status, html, _ = await client.request("GET", paths[track], "result")
        assert (status, f"said {track}" in html) == (200, True)
        await client.close()
    assert old.sql("SELECT count(*) FROM reviews") == ["2"]


def version() -> str:
    return str(yaml.safe_load((ROOT / "charts/serinus/Chart.yaml").read_text())["version"])


def test_the_package_is_older_than_the_chart() -> None:
    assert Path(PREVIOUS).name != f"serinus-{version()}.tgz"
