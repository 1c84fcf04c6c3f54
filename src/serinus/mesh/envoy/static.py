"""The whole configuration in one static file, for `envoy --mode validate`.

Enters: compiled files. Leaves: one bootstrap as text. That mode reads no watched files, so what
Envoy would refuse later, in its log only, is found here. Called by `serinus.local` before anything
starts, and by the golden tests.
"""

from __future__ import annotations

import json
from typing import Any

from serinus.mesh.envoy import names

Json = dict[str, Any]


def static(files: dict[str, str]) -> str:
    """The files of `Resources` as one bootstrap without watched files and access log.

    Envoy also checks here that each route's cluster exists.
    """
    found = {path: json.loads(text) for path, text in files.items()}
    routes, pods = _named(found, "rds/", "name"), _named(found, "eds/", "cluster_name")
    listeners, clusters = found[names.LDS]["resources"], found[names.CDS]["resources"]
    for listener in listeners:
        manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
        configuration = _bare(routes[manager.pop("rds")["route_config_name"]])
        manager["route_config"] = configuration | {"validate_clusters": True}
        manager.pop("access_log", None)
    for cluster in clusters:
        cluster["type"] = "STATIC"
        cluster["load_assignment"] = _bare(pods[cluster.pop("eds_cluster_config")["service_name"]])
    bootstrap = found[names.BOOTSTRAP]
    del bootstrap["dynamic_resources"]
    bootstrap["static_resources"] = {
        "listeners": [_bare(item) for item in listeners],
        "clusters": [_bare(item) for item in clusters],
    }
    return json.dumps(bootstrap)


def _named(files: dict[str, Json], folder: str, key: str) -> dict[str, Json]:
    return {
        item[key]: item
        for path, content in files.items()
        if path.startswith(folder)
        for item in content["resources"]
    }


def _bare(resource: Json) -> Json:
    return {key: value for key, value in resource.items() if key != "@type"}
