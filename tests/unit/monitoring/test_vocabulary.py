"""No alert, dashboard or experiment names a metric that nothing exports."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml
from tests.support.monitoring import CHART, rendered

from serinus.contracts import metrics
from serinus.monitoring.dashboards import BOARDS
from serinus.monitoring.vocabulary import RECORDED, exported, named


def expressions() -> Iterator[tuple[str, str]]:
    for path in sorted((CHART / "files" / "alerts").glob("*.yaml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                yield str(rule.get("alert") or rule["record"]), str(rule["expr"])
    for board in BOARDS:
        for panel in board.panels:
            for query in panel.queries:
                yield f"{board.title}: {panel.title}", query.expr


@pytest.mark.parametrize(("name", "expression"), list(expressions()), ids=lambda text: text[:40])
def test_every_metric_is_exported(name: str, expression: str) -> None:
    found = named(expression)
    assert found
    assert found <= exported(), name


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("vector(1)", set()),
        ('sum by (app, track) (rate(a_total{code=~"5.."}[5m])) / 2 > 0.5', {"a_total"}),
        ("sum(a:b) by (le) unless on (x) c offset 1m == bool 0", {"a:b", "c"}),
        ('label_replace(up{x="not_me"}, "track", "$1", "y", "(.+)") * 1e3', {"up"}),
        ("increase(a[$__rate_interval]) and histogram_quantile(0.9, b_bucket)", {"a", "b_bucket"}),
        ("a * on () group_left (name) max by (name) (d)", {"a", "d"}),
    ],
)
def test_names_are_found(expression: str, names: set[str]) -> None:
    assert named(expression) == names


def test_recorded_names_are_recorded() -> None:
    recorded = {
        rule["record"]
        for item in rendered().of("PrometheusRule")
        for group in item.at("spec", "groups")
        for rule in group["rules"]
        if "record" in rule
    }
    assert recorded == RECORDED


def test_names_are_unique() -> None:
    assert len({metric.name for metric in metrics.ALL}) == len(metrics.ALL)
