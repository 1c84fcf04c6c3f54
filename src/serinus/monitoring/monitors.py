"""ServiceMonitors and PodMonitors, read into one neutral record per endpoint.

Enters: the index of rendered objects. Leaves: `Endpoint` records. Called by `prometheus`, which
writes scrape configurations from them, and `targets`, which finds their pods.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from serinus.manifests import Index, Object
from serinus.monitoring.fields import Fields


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint of a monitor. `job_name` is the one that the Prometheus operator gives it.

    `namespaces` is empty for the monitor's own. `scrape` holds the fields that go into the scrape
    configuration as they are.
    """

    monitor: Object
    kind: Literal["ServiceMonitor", "PodMonitor"]
    job_name: str
    selector: Mapping[str, str]
    namespaces: tuple[str, ...]
    job_label: str
    port: str
    scrape: Mapping[str, Any]
    relabelings: tuple[Mapping[str, Any], ...]
    metric_relabelings: tuple[Mapping[str, Any], ...]


def read(index: Index) -> tuple[Endpoint, ...]:
    """Endpoints of all monitors, in rendered order; raises `MonitoringError`."""
    found: list[Endpoint] = []
    for item in index.of("ServiceMonitor"):
        found += _endpoints(item, "ServiceMonitor", "endpoints")
    for item in index.of("PodMonitor"):
        found += _endpoints(item, "PodMonitor", "podMetricsEndpoints")
    return tuple(found)


def _endpoints(
    item: Object, kind: Literal["ServiceMonitor", "PodMonitor"], name: str
) -> Iterator[Endpoint]:
    spec = Fields(item, "spec")
    selector = spec.below("selector")
    labels = dict(selector.get("matchLabels", {}))
    selector.done()
    where = spec.below("namespaceSelector")
    namespaces = tuple(where.get("matchNames", ()))
    where.done()
    job_label = str(spec.get("jobLabel", ""))
    endpoints = list(spec.each(name))
    spec.done()
    prefix = kind[0].lower() + kind[1:]
    for number, endpoint in enumerate(endpoints):
        scrape = {
            "metrics_path": endpoint.text("path", "/metrics"),
            "scheme": endpoint.text("scheme", "http"),
            **({"honor_labels": True} if endpoint.get("honorLabels") else {}),
            **({"params": endpoint.get("params")} if endpoint.get("params") else {}),
        }
        if interval := endpoint.get("interval"):
            scrape["scrape_interval"] = interval
        if timeout := endpoint.get("scrapeTimeout"):
            scrape["scrape_timeout"] = timeout
        yield Endpoint(
            item,
            kind,
            f"{prefix}/{item.namespace}/{item.name}/{number}",
            labels,
            namespaces,
            job_label,
            endpoint.text("port"),
            scrape,
            tuple(_relabelings(endpoint, "relabelings")),
            tuple(_relabelings(endpoint, "metricRelabelings")),
        )
        endpoint.done()


def _relabelings(endpoint: Fields, name: str) -> Iterator[dict[str, Any]]:
    for rule in endpoint.each(name):
        yield rule.snake(
            "sourceLabels",
            "separator",
            "targetLabel",
            "regex",
            "modulus",
            "replacement",
            "action",
        )
        rule.done()
