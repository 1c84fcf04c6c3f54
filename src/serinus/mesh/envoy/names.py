"""Names of Envoy's resources and of the files that hold them.

Enters: parts of a name. Leaves: names, the same in listeners, routes, clusters, statistics and the
monitoring that reads them (`serinus.monitoring`).
"""

from __future__ import annotations

import re
from typing import Any, Final

from serinus.mesh.view import Target

CDS: Final = "cds.json"
LDS: Final = "lds.json"
BOOTSTRAP: Final = "bootstrap.json"

CLUSTER_NAME: Final = re.compile(
    r"outbound\|(?P<port>[0-9]+)\|(?P<subset>[^|]*)\|(?P<service>[^|.]+)"
    r"\|(?P<source>[^|/]+)(?:/(?P<source_track>[^|]+))?"
)
"""A cluster's name, as Envoy's statistics say it in `envoy_cluster_name`.

`outbound|80|canary|app-service|app-frontend/canary`; the source is `gateway` for what comes in.
Istio's own name has the same first four parts and no source.
"""

TYPE: Final = "type.googleapis.com/"


def typed(kind: str, /, **fields: Any) -> dict[str, Any]:
    """A message of the type `envoy.<name>`; fields that are None are left out."""
    return {"@type": f"{TYPE}envoy.{kind}", **{k: v for k, v in fields.items() if v is not None}}


def cluster(target: Target, source: str) -> str:
    """Name of the cluster by which a source reaches a target."""
    return f"{assignment(target)}|{source}"


def assignment(target: Target) -> str:
    """Name of a target's endpoints, shared by all sources."""
    return f"outbound|{target.port}|{target.subset}|{target.service}"


def outbound(source: str, service: str) -> str:
    """Name of a caller's listener for a Service and of its routes."""
    return f"outbound|{source}|{service}"


def rds_path(route: str) -> str:
    """File of one route configuration, below the folder that Envoy watches."""
    return f"rds/{_plain(route)}.json"


def eds_path(assignment_name: str) -> str:
    """File of one subset's endpoints: Envoy takes one resource per file."""
    return f"eds/{_plain(assignment_name)}.json"


def duration(seconds: float) -> str:
    """Seconds as protobuf's JSON writes them: `0.25s`."""
    return f"{seconds:.9f}".rstrip("0").rstrip(".") + "s"


def source_file(directory: str, path: str) -> dict[str, Any]:
    """A configuration source that is a watched file."""
    return {"path_config_source": {"path": f"{directory}/{path}"}, "resource_api_version": "V3"}


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", ".", name)
