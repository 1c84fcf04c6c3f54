"""What the compilers don't cover is an error that names object and path."""

from __future__ import annotations

import pytest

from serinus.errors import MonitoringError
from serinus.manifests import Index
from serinus.monitoring import alertmanager, prometheus, targets


def index(kind: str, spec: str) -> Index:
    return Index.parse(
        f"apiVersion: monitoring.coreos.com/v1\nkind: {kind}\n"
        f"metadata: {{name: it, namespace: shop}}\nspec: {spec}\n"
    )


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ("{selector: {}, sampleLimit: 5, endpoints: []}", "spec.sampleLimit"),
        ("{selector: {}, endpoints: [{port: a, bearerTokenFile: x}]}",
         "spec.endpoints[0].bearerTokenFile"),
        ("{selector: {}, endpoints: [{path: /metrics}]}", "spec.endpoints[0].port"),
        ("{selector: {matchExpressions: [{key: a, operator: Exists}]}, endpoints: []}",
         "spec.selector.matchExpressions"),
        ("{selector: {}, namespaceSelector: {any: true}, endpoints: []}",
         "spec.namespaceSelector.any"),
        ("{selector: {}, endpoints: [{port: a, relabelings: [{foo: bar}]}]}",
         "spec.endpoints[0].relabelings[0].foo"),
    ],
)  # fmt: skip
def test_a_service_monitor(spec: str, path: str) -> None:
    found = index("ServiceMonitor", spec)
    for compiler in (
        lambda: prometheus.configuration(
            found, rules=[], alertmanager="", targets="/t", interval="1s"
        ),
        lambda: targets.files(found, []),
    ):
        with pytest.raises(MonitoringError) as refused:
            compiler()
        assert f"ServiceMonitor it {path}" in refused.value.where


def test_a_rule() -> None:
    spec = "{groups: [{name: a, rules: [{alert: A, expr: up, keepFiringFor: 1m}]}]}"
    with pytest.raises(MonitoringError) as refused:
        list(prometheus.rules(index("PrometheusRule", spec)))
    assert "spec.groups[0].rules[0].keepFiringFor" in refused.value.where


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ("{route: {receiver: a}, receivers: [{name: a, slackConfigs: [{channel: x}]}]}",
         "spec.receivers[0].slackConfigs"),
        ("{route: {receiver: a, muteTimeIntervals: [x]}, receivers: []}",
         "spec.route.muteTimeIntervals"),
        ("{route: {receiver: a}, receivers: [{name: a, emailConfigs: "
         "[{to: b, authPassword: {name: s, key: p}}]}]}",
         "spec.receivers[0].emailConfigs[0].authPassword"),
    ],
)  # fmt: skip
def test_mails(spec: str, path: str) -> None:
    with pytest.raises(MonitoringError) as refused:
        alertmanager.configuration(index("AlertmanagerConfig", spec))
    assert f"AlertmanagerConfig it {path}" in refused.value.where
