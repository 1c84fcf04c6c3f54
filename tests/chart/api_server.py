"""A small API server on loopback: discovery, and the objects it is given.

Enters: objects as a cluster would hold them. Leaves: a kubeconfig under which Helm's `lookup` finds
them. Called by test_cluster_checks; it answers reads only, all that a server-side dry run makes.
"""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tests.chart.support import ROOT

CLUSTER_SCOPED = {"Namespace", "PersistentVolume"}
KINDS = {"v1/Namespace"} | {
    kind
    for path in (ROOT / "tests" / "schemas").glob("*.json")
    for kind in json.loads(path.read_text())["kinds"]
}


def plural(kind: str) -> str:
    """The resource's name in a path."""
    name = kind.lower()
    if name.endswith("y") and not name.endswith("ay"):
        return name[:-1] + "ies"
    return name + "s"


def _groups() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for entry in sorted(KINDS):
        version, _, kind = entry.rpartition("/")
        found.setdefault(version, []).append(kind)
    return found


def _resources(version: str, kinds: Sequence[str]) -> dict[str, Any]:
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": version,
        "resources": [
            {
                "name": plural(kind),
                "singularName": kind.lower(),
                "namespaced": kind not in CLUSTER_SCOPED,
                "kind": kind,
                "verbs": ["get", "list"],
            }
            for kind in kinds
        ],
    }


def _discovery(istio: bool) -> dict[str, Any]:
    groups = {
        version: kinds for version, kinds in _groups().items() if istio or "istio" not in version
    }
    pages: dict[str, Any] = {
        "/version": {"major": "1", "minor": "34", "gitVersion": "v1.34.4"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
    }
    for version, kinds in groups.items():
        root = "/api" if version == "v1" else "/apis"
        pages[f"{root}/{version}"] = _resources(version, kinds)
    names = sorted({version.partition("/")[0] for version in groups if version != "v1"})
    pages["/apis"] = {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [
            {"name": name, "versions": versions, "preferredVersion": versions[0]}
            for name in names
            for versions in [
                [
                    {"groupVersion": version, "version": version.partition("/")[2]}
                    for version in groups
                    if version.startswith(f"{name}/")
                ]
            ]
        ],
    }
    return pages


def _collection(item: Mapping[str, Any], everywhere: bool) -> str:
    version = item["apiVersion"]
    root = f"/api/{version}" if version == "v1" else f"/apis/{version}"
    namespace = item["metadata"].get("namespace")
    inside = f"/namespaces/{namespace}" if namespace and not everywhere else ""
    return f"{root}{inside}/{plural(item['kind'])}"


def _pages(objects: Sequence[Mapping[str, Any]], istio: bool) -> dict[str, Any]:
    pages = _discovery(istio)
    for item in objects:
        pages[f"{_collection(item, False)}/{item['metadata']['name']}"] = item
        for path in {_collection(item, True), _collection(item, False)}:
            empty = {"kind": f"{item['kind']}List", "apiVersion": item["apiVersion"], "items": []}
            pages.setdefault(path, empty)["items"].append(item)
    return pages


def _none_of(path: str, pages: Mapping[str, Any]) -> dict[str, Any] | None:
    """An empty list, where the path is a known resource's that holds nothing yet."""
    root, _, resource = path.rpartition("/")
    version = root.partition("/namespaces/")[0]
    for known in pages.get(version, {}).get("resources", ()):
        if known["name"] == resource:
            group = pages[version]["groupVersion"]
            return {"kind": f"{known['kind']}List", "apiVersion": group, "items": []}
    return None


@contextmanager
def api_server(
    *objects: Mapping[str, Any], istio: bool = True, lists: bool = True
) -> Iterator[str]:
    """Serve these objects; yields the text of a kubeconfig.

    Without `lists` a kind that holds nothing is not found, so that `lookup` finds as little as
    without a cluster.
    """
    pages = _pages(objects, istio)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # One segment per answer; two would wait 40 ms for a delayed acknowledgement.
        wbufsize = -1

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            page = pages.get(path) or (_none_of(path, pages) if lists else None)
            status = 200 if page else 404
            missing = {"kind": "Status", "apiVersion": "v1", "reason": "NotFound", "code": 404}
            body = json.dumps(page or missing | {"status": "Failure"}).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [
                    {
                        "name": "test",
                        "cluster": {"server": f"http://127.0.0.1:{server.server_port}"},
                    }
                ],
                "users": [{"name": "test", "user": {}}],
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
                "current-context": "test",
            }
        )
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
