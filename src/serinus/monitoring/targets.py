"""Targets of Prometheus: which pods a monitor's endpoint means, and what is known of them.

Enters: the index of rendered objects and the pods that run. Leaves: the content of one target file
per job, with the `__meta_kubernetes_*` labels that discovery gives in a cluster. Called by
`serinus.local.monitoring` at each change of a pod.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from serinus.manifests import Index, Object
from serinus.monitoring.monitors import Endpoint, read
from serinus.monitoring.prometheus import target_file


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod that may be scraped. `namespace` `None` means: whichever a monitor looks in."""

    name: str
    address: str
    labels: Mapping[str, str]
    ports: Mapping[str, int]
    namespace: str | None = None
    container: str = "app"


def files(index: Index, pods: Iterable[Pod]) -> dict[str, str]:
    """Name and JSON text of each job's target file; raises `MonitoringError`."""
    pods = sorted(pods, key=lambda pod: (pod.name, pod.address))
    return {
        target_file(endpoint.job_name): json.dumps(list(_groups(index, endpoint, pods)), indent=1)
        + "\n"
        for endpoint in read(index)
    }


def _groups(index: Index, endpoint: Endpoint, pods: list[Pod]) -> Iterator[dict[str, Any]]:
    if endpoint.kind == "PodMonitor":
        for pod in pods:
            if _within(endpoint, pod.namespace) and _fits(endpoint.selector, pod.labels):
                yield from _target(endpoint, pod, pod.ports.get(endpoint.port))
        return
    for service in index.of("Service"):
        if not (_within(endpoint, service.namespace) and _fits(endpoint.selector, service.labels)):
            continue
        selector = service.at("spec", "selector", default={})
        for port in service.at("spec", "ports", default=[]):
            if port.get("name") != endpoint.port or not selector:
                continue
            for pod in pods:
                if _fits(selector, pod.labels):
                    wanted = port.get("targetPort", port["port"])
                    number = pod.ports.get(wanted) if isinstance(wanted, str) else wanted
                    yield from _target(endpoint, pod, number, service)


def _target(
    endpoint: Endpoint, pod: Pod, port: int | None, service: Object | None = None
) -> Iterator[dict[str, Any]]:
    if port is None:
        return
    namespaces = endpoint.namespaces or (endpoint.monitor.namespace or "",)
    meta = {
        "namespace": pod.namespace or namespaces[0],
        "pod_name": pod.name,
        "pod_ip": pod.address,
        "pod_container_name": pod.container,
        **_labels("pod", pod.labels),
    }
    if service is not None:
        meta |= {"service_name": service.name, **_labels("service", service.labels)}
    yield {
        "targets": [f"{pod.address}:{port}"],
        "labels": {f"__meta_kubernetes_{key}": value for key, value in sorted(meta.items())},
    }


def _labels(of: str, labels: Mapping[str, str]) -> dict[str, str]:
    return {
        f"{of}_label_{re.sub(r'[^A-Za-z0-9_]', '_', key)}": str(value)
        for key, value in labels.items()
    }


def _within(endpoint: Endpoint, namespace: str | None) -> bool:
    wanted = endpoint.namespaces or (endpoint.monitor.namespace,)
    return namespace is None or namespace in wanted


def _fits(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return all(str(labels.get(key)) == str(value) for key, value in selector.items())
