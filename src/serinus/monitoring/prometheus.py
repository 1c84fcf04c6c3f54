"""Prometheus's configuration from ServiceMonitors, PodMonitors and PrometheusRules.

Enters: the index of rendered objects and the addresses of one machine. Leaves: texts of
`prometheus.yml` and of one rule file per PrometheusRule. What the operator does in a cluster is
done here the same way: target labels are made by relabeling from `__meta_kubernetes_*`, which
`serinus.monitoring.targets` writes. Called by `serinus.local.monitoring`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

from serinus.manifests import Index, Object
from serinus.monitoring.fields import Fields
from serinus.monitoring.monitors import Endpoint, read

HEADER: Final = "# Made from the chart by `serinus up`; changes here are lost.\n"


def configuration(
    index: Index, *, rules: list[str], alertmanager: str, targets: str, interval: str
) -> str:
    """`prometheus.yml`.

    `rules` are paths of rule files, `alertmanager` is host:port (empty: none), `targets` the folder
    of target files, `interval` the default between scrapes and evaluations. Raises
    `MonitoringError` naming object and path.
    """
    config: dict[str, Any] = {
        "global": {"scrape_interval": interval, "evaluation_interval": interval},
        "rule_files": rules,
        "scrape_configs": [_scrape(item, targets) for item in read(index)],
    }
    if alertmanager:
        config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]}
    return HEADER + yaml.dump(config, Dumper=yaml.CSafeDumper, sort_keys=False, width=200)


def target_file(job_name: str) -> str:
    """Name of the file with the targets of a job."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", job_name) + ".json"


def rules(index: Index) -> Iterator[tuple[str, str]]:
    """Name and text of each rule file; raises `MonitoringError` naming object and path."""
    for item in index.of("PrometheusRule"):
        groups = list(_groups(item))
        yield (
            f"{item.namespace}-{item.name}.yaml",
            HEADER
            + yaml.dump({"groups": groups}, Dumper=yaml.CSafeDumper, sort_keys=False, width=200),
        )


def _scrape(endpoint: Endpoint, targets: str) -> dict[str, Any]:
    return {
        "job_name": endpoint.job_name,
        **endpoint.scrape,
        "file_sd_configs": [{"files": [f"{targets}/{target_file(endpoint.job_name)}"]}],
        "relabel_configs": [*_operator_labels(endpoint), *endpoint.relabelings],
        "metric_relabel_configs": list(endpoint.metric_relabelings),
    }


def _operator_labels(endpoint: Endpoint) -> Iterator[dict[str, Any]]:
    def copy(source: str, target: str) -> dict[str, Any]:
        return {"source_labels": [f"__meta_kubernetes_{source}"], "target_label": target}

    yield copy("namespace", "namespace")
    yield copy("pod_name", "pod")
    yield copy("pod_container_name", "container")
    if endpoint.kind == "ServiceMonitor":
        yield copy("service_name", "service")
        yield copy("service_name", "job")
    else:
        monitor = endpoint.monitor
        yield {"target_label": "job", "replacement": f"{monitor.namespace}/{monitor.name}"}
    if endpoint.job_label:
        of = "service" if endpoint.kind == "ServiceMonitor" else "pod"
        label = re.sub(r"[^A-Za-z0-9_]", "_", endpoint.job_label)
        yield {**copy(f"{of}_label_{label}", "job"), "regex": "(.+)", "replacement": "$1"}
    yield {"target_label": "endpoint", "replacement": endpoint.port}


def _groups(item: Object) -> Iterator[dict[str, Any]]:
    spec = Fields(item, "spec")
    for group in spec.each("groups"):
        made = group.snake("name", "interval", "limit")
        made["rules"] = [_rule(rule) for rule in group.each("rules")]
        group.done()
        yield made
    spec.done()


def _rule(rule: Fields) -> dict[str, Any]:
    made = rule.snake("record", "alert")
    made["expr"] = rule.text("expr")
    # `for` and `keep_firing_for` are spelled the same on both sides.
    made |= rule.snake("for", "keep_firing_for", "labels", "annotations")
    rule.done()
    return made
