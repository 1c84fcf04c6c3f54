"""The release that the routing table is asked of: the chart's own objects around pods that echo.

Enters: the chart, a table, a namespace. Leaves: `Echo`, whose Services, routes, policies and pods
are as rendered but for what the containers run, which is `tests.support.wire`. Called by conftest.
"""

from __future__ import annotations

import asyncio
import copy
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serinus.clients import helm, values
from serinus.manifests import Index
from serinus.mesh import istio
from serinus.mesh.topology import Topology
from tests.cluster.support import (
    APPS,
    PYTHON_IMAGE,
    ROOT,
    TRACKS,
    VALUES,
    Release,
    address,
    run_any,
)
from tests.routing.table import Row, Table
from tests.support import wire

WIRE = Path(wire.__file__).read_text(encoding="utf-8")
SMALL = {"requests": {"cpu": "10m", "memory": "24Mi"}, "limits": {"memory": "128Mi"}}


@dataclass
class Echo(Release):
    """Applied without Helm, which knows no other containers than the chart's."""

    manifest: str = ""

    def topology(self) -> Topology:
        """What `serinus mesh explain` decides from."""
        return istio.read(Index.parse(self.manifest), self.namespace)

    def install(self) -> None:
        """Apply it and wait until every track answers; the failure says which doesn't."""
        objects = [_echoing(item.raw) for item in Index.parse(self.manifest)]
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        self.kubectl("apply", "--server-side", "-f", "-", stdin=text)
        available = ("wait", "--for=condition=Available", "deploy", "--all", "--timeout=240s")
        done = run_any("kubectl", "-n", self.namespace, *available)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}\n{self.trouble()}"
        asyncio.run(self._routed())

    async def _routed(self) -> None:
        hosts = self.values["hosts"]
        waiting = [(hosts["frontend"], "cookie", f"app-version={track}") for track in TRACKS]
        waiting += [(hosts["api"], "x-app-version", track) for track in TRACKS]
        deadline = time.monotonic() + 60
        while waiting:
            host, name, value = waiting[0]
            reply = await wire.send(address(), "GET", "/", host, [(name, value)])
            if reply.status == 200:
                waiting.pop(0)
                continue
            assert time.monotonic() < deadline, f"{host}, {name} {value}: still {reply.status}"
            await asyncio.sleep(0.2)

    def ask(self, source: str, rows: Iterable[Row]) -> list[wire.Reply]:
        """The rows' requests sent from inside a pod of `source`, such as app-service/canary."""
        asked = [(row.method, row.path, row.host, row.headers) for row in rows]
        target = f"deployment/{source.replace('/', '-')}"
        return wire.replies(self.python(target, WIRE, "ask", stdin=json.dumps(asked)))


def rendered(namespace: str, table: Table) -> Echo:
    """The chart with the table's hosts and rollout, for that namespace."""
    given = {
        "hosts": table.hosts,
        "api": {"expose": True},
        "rollout": table.rollout,
        "gateway": {"rateLimit": {"enabled": False}},
        "monitoring": {"enabled": False},
        "workloads": {app: {"replicas": 1, "resources": SMALL} for app in APPS},
        "pods": {"preStopSeconds": 1, "shutdownSeconds": 5},
        "traffic": {"timeout": "5s"},
        # Named and never made: no container is left that would read them.
        "secrets": {"existingSecret": "none"},
        "store": {"postgresql": {"enabled": False}, "databaseUrl": {"existingSecret": "none"}},
    }
    merged = values.merge(values.read(VALUES), given)
    chart = helm.render(ROOT / "charts/serinus", merged, namespace=namespace)
    return Echo(namespace, merged, manifest=chart.manifest)


def _echoing(item: Any) -> Any:
    """The object; a Deployment's container keeps its name, ports, probes and rights only."""
    if item["kind"] != "Deployment":
        return item
    item = copy.deepcopy(item)
    labels = item["spec"]["template"]["metadata"]["labels"]
    (container,) = item["spec"]["template"]["spec"]["containers"]
    container["image"] = PYTHON_IMAGE
    container["command"] = ["python", "-c", WIRE, "serve", labels["app"], labels["version"]]
    container["env"] = []
    return item
