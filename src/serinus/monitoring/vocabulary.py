"""Which metrics a rule, a dashboard or an experiment may name.

Enters: a PromQL expression. Leaves: the names in it, and the set of names that something exports.
Called by tests, which fail when an expression names what nothing exports.
"""

from __future__ import annotations

import re
from typing import Final

from serinus.contracts import metrics

MESH: Final = frozenset(
    {"istio_requests_total"}
    | {f"istio_request_duration_milliseconds_{part}" for part in ("bucket", "sum", "count")}
)
"""Istio's standard metrics, or the same made from Envoy's; with `job="serinus-mesh"`."""
GATEWAY: Final = frozenset({"serinus_gateway_rate_limit_total"})
"""The rate-limit filter's counters under one name; label `outcome`: ok or rate_limited."""
RECORDED: Final = frozenset(
    {
        "serinus:service_down",
        "serinus:configured_weight:percent",
        "serinus:configured_workload",
        "serinus:configured_epoch",
    }
)
"""Made by the chart's recording rules."""
PROMETHEUS: Final = frozenset({"up", "ALERTS"})
PROCESS: Final = frozenset(
    {
        "process_cpu_seconds_total",
        "process_max_fds",
        "process_open_fds",
        "process_resident_memory_bytes",
        "process_start_time_seconds",
    }
)
"""From the client library, in each service."""
CLUSTER: Final = frozenset(
    {
        "istio_agent_cert_expiry_seconds",
        "citadel_server_root_cert_expiry_timestamp",
        "certmanager_certificate_expiration_timestamp_seconds",
        "kubelet_volume_stats_used_bytes",
        "kubelet_volume_stats_capacity_bytes",
    }
)
"""From the sidecars' agents, istiod, cert-manager and the kubelet, in a cluster only."""

_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'')
_BRACED: Final = re.compile(r"\{[^{}]*\}|\[[^\[\]]*\]")
_GROUPING: Final = re.compile(
    r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)", re.IGNORECASE
)
_NAME: Final = re.compile(r"(?<![\w:.$])[A-Za-z_:][\w:]*(?!\s*\()(?![\w:])")
_WORDS: Final = frozenset(
    [
        "and",
        "or",
        "unless",
        "bool",
        "offset",
        "by",
        "without",
        "on",
        "ignoring",
        "group_left",
        "group_right",
        "inf",
        "nan",
    ]
)
# These take their grouping before the parenthesis: `sum by (app) (...)`.
_AGGREGATIONS: Final = frozenset(
    [
        "sum",
        "min",
        "max",
        "avg",
        "count",
        "group",
        "stddev",
        "stdvar",
        "topk",
        "bottomk",
        "quantile",
        "count_values",
    ]
)


def exported() -> frozenset[str]:
    """Every name that something exports; a histogram's are its three series."""
    own: set[str] = set()
    for metric in metrics.ALL:
        if metric.kind == "histogram":
            own |= {f"{metric.name}_{part}" for part in ("bucket", "sum", "count")}
        else:
            own.add(metric.name)
    return frozenset(own | MESH | GATEWAY | RECORDED | PROMETHEUS | PROCESS | CLUSTER)


def named(expression: str) -> frozenset[str]:
    """The metric names in a PromQL expression; Grafana's `$variables` may be in it."""
    text = _BRACED.sub(" ", _STRING.sub(" ", expression))
    text = _GROUPING.sub(" ", text)
    return frozenset(
        name
        for name in _NAME.findall(text)
        if name.lower() not in _WORDS and name not in _AGGREGATIONS
    )
