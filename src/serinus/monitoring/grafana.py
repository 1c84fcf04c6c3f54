"""Grafana's provisioning from the chart's dashboards.

Enters: the index of rendered objects and Prometheus's address. Leaves: files below one folder: the
data source, the dashboards' provider, and the dashboards from ConfigMaps with the label
`grafana_dashboard`, which Grafana's sidecar looks for in a cluster. Called by
`serinus.local.monitoring`.
"""

from __future__ import annotations

from typing import Final

import yaml

from serinus.manifests import Index
from serinus.monitoring.prometheus import HEADER

LABEL: Final = "grafana_dashboard"
DATA_SOURCE: Final = "prometheus"


def files(index: Index, *, folder: str, prometheus: str) -> dict[str, str]:
    """Path below `folder` and text of each file; `prometheus` is the server's address."""
    source = {
        "apiVersion": 1,
        "datasources": [
            {
                "name": "Prometheus",
                "uid": DATA_SOURCE,
                "type": "prometheus",
                "access": "proxy",
                "url": prometheus,
                "isDefault": True,
                "editable": False,
                "jsonData": {"timeInterval": "1s"},
            }
        ],
    }
    provider = {
        "apiVersion": 1,
        "providers": [
            {
                "name": "serinus",
                "folder": "Serinus",
                "type": "file",
                "options": {"path": f"{folder}/dashboards"},
            }
        ],
    }
    made = {
        "provisioning/datasources/serinus.yaml": HEADER
        + yaml.dump(source, Dumper=yaml.CSafeDumper, sort_keys=False),
        "provisioning/dashboards/serinus.yaml": HEADER
        + yaml.dump(provider, Dumper=yaml.CSafeDumper, sort_keys=False),
    }
    for item in index.of("ConfigMap"):
        if LABEL in item.labels:
            for name, text in item.at("data", default={}).items():
                made[f"dashboards/{name}"] = text
    return made


def environment(*, folder: str, data: str, host: str, port: int) -> dict[str, str]:
    """Grafana's settings on one machine.

    Whoever reaches the loopback address may look and may not change: nobody logs in, so there is
    no password that everyone knows.
    """
    return {
        "GF_PATHS_DATA": data,
        "GF_PATHS_LOGS": f"{data}/log",
        "GF_PATHS_PLUGINS": f"{data}/plugins",
        "GF_PATHS_PROVISIONING": f"{folder}/provisioning",
        "GF_SERVER_HTTP_ADDR": host,
        "GF_SERVER_HTTP_PORT": str(port),
        "GF_AUTH_ANONYMOUS_ENABLED": "true",
        "GF_AUTH_ANONYMOUS_ORG_ROLE": "Viewer",
        "GF_AUTH_BASIC_ENABLED": "false",
        "GF_AUTH_DISABLE_LOGIN_FORM": "true",
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
        "GF_NEWS_NEWS_FEED_ENABLED": "false",
        "GF_SECURITY_DISABLE_GRAVATAR": "true",
    }
