"""Monitors, rules and mails of the chart; relabeling is carried out as Prometheus would."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from serinus.errors import ChartError
from serinus.manifests import Index
from tests.chart.support import APPS, NAMESPACE, one, render, selected

MAIL = {"recipient": "you@example.org", "smarthost": "mail.example.org:587"}


def monitoring(**values: Any) -> dict[str, Any]:
    return {"monitoring": values}


def relabel(rules: list[Mapping[str, Any]], labels: dict[str, str]) -> dict[str, str] | None:
    """Apply relabelings to a series' labels; `None` when it is dropped."""
    labels = dict(labels)
    for rule in rules:
        action = rule.get("action", "replace")
        pattern = re.compile(str(rule.get("regex", "(.*)")))
        value = rule.get("separator", ";").join(
            labels.get(name, "") for name in rule.get("sourceLabels", [])
        )
        match = pattern.fullmatch(value)
        if action == "keep":
            if not match:
                return None
        elif action == "labeldrop":
            labels = {key: text for key, text in labels.items() if not pattern.fullmatch(key)}
        elif match:
            template = re.sub(r"\$(\d)", r"\\g<\1>", str(rule.get("replacement", "$1")))
            labels[rule["targetLabel"]] = match.expand(template)
            if not labels[rule["targetLabel"]]:
                del labels[rule["targetLabel"]]
        assert action in {"keep", "labeldrop", "replace"}
    return labels


def metric_rules(index: Index, name: str = "mesh-gateway") -> list[Mapping[str, Any]]:
    endpoints: list[dict[str, Any]] = list(
        one(index, "PodMonitor", name).spec["podMetricsEndpoints"]
    )
    return list(endpoints[0]["metricRelabelings"])


@pytest.fixture(scope="module")
def envoy() -> Index:
    return render(monitoring(meshMetrics="envoy"))


@pytest.fixture(scope="module")
def istio() -> Index:
    return render()


SERIES = {
    "one Envoy for all": {
        "envoy_cluster_name": "outbound|80|canary|app-service|app-frontend/canary",
        "envoy_response_code": "503",
    },
    "a sidecar under Istio's own names": {
        "cluster_name": f"outbound|80|canary|app-service.{NAMESPACE}.svc.cluster.local",
        "response_code": "503",
        "source_app": "app-frontend",
        "source_version": "canary",
    },
    "a sidecar of newer Istio": {
        "cluster_name": f"outbound|80|canary|app-service.{NAMESPACE}.svc.cluster.local;",
        "response_code": "503",
        "source_app": "app-frontend",
        "source_version": "canary",
    },
}


@pytest.mark.parametrize("series", SERIES.values(), ids=SERIES)
def test_envoys_statistics_become_istios_metrics(envoy: Index, series: dict[str, str]) -> None:
    made = relabel(metric_rules(envoy, "mesh"), {"__name__": "envoy_cluster_upstream_rq", **series})
    assert made == {
        "__name__": "istio_requests_total",
        "reporter": "source",
        "source_app": "app-frontend",
        "source_version": "canary",
        "source_workload": "app-frontend-canary",
        "destination_app": "app-service",
        "destination_version": "canary",
        "destination_workload": "app-service-canary",
        "destination_service_name": "app-service",
        "destination_service_namespace": NAMESPACE,
        "response_code": "503",
        "app": "app-service",
        "track": "canary",
        "namespace": NAMESPACE,
    }


def test_the_gateway_has_no_track(envoy: Index) -> None:
    made = relabel(
        metric_rules(envoy),
        {
            "__name__": "envoy_cluster_upstream_rq_time_bucket",
            "le": "5",
            "envoy_cluster_name": "outbound|80|stable|app-frontend|gateway",
        },
    )
    assert made is not None
    assert made["__name__"] == "istio_request_duration_milliseconds_bucket"
    assert made["source_workload"] == made["source_app"] == "istio-ingressgateway"
    assert "source_version" not in made
    assert made["destination_workload"] == "app-frontend-stable"


@pytest.mark.parametrize(
    "series",
    [
        {"__name__": "envoy_cluster_upstream_rq", "cluster_name": "xds-grpc"},
        {"__name__": "envoy_cluster_upstream_rq",
         "envoy_cluster_name": "outbound|80||app-service|app-frontend/canary"},
        {"__name__": "envoy_cluster_upstream_rq",
         "cluster_name": "outbound|80|stable|app-service.other.svc.cluster.local"},
        {"__name__": "envoy_cluster_upstream_cx_active",
         "envoy_cluster_name": "outbound|80|stable|app-service|app-frontend/canary"},
        {"__name__": "envoy_http_local_rate_limit_ok",
         "envoy_local_http_ratelimit_prefix": "other-other"},
        {"__name__": "envoy_other_other_http_local_rate_limit_ok"},
    ],
)  # fmt: skip
def test_what_is_not_this_releases_is_dropped(envoy: Index, series: dict[str, str]) -> None:
    assert relabel(metric_rules(envoy), series) is None


@pytest.mark.parametrize(
    "series",
    [
        {"__name__": "envoy_http_local_rate_limit_rate_limited",
         "envoy_local_http_ratelimit_prefix": f"{NAMESPACE}__serinus"},
        {"__name__": f"envoy_{NAMESPACE}__serinus_http_local_rate_limit_rate_limited"},
    ],
    ids=["Envoy", "Istio"],
)  # fmt: skip
def test_the_rate_limits_counters_get_one_name(
    envoy: Index, istio: Index, series: dict[str, str]
) -> None:
    for index in (envoy, istio):
        made = relabel(metric_rules(index), {**series, "namespace": "istio-system"})
        assert made == {
            "__name__": "serinus_gateway_rate_limit_total",
            "outcome": "rate_limited",
            "namespace": NAMESPACE,
        }


def test_istios_metrics_are_taken_once_and_get_app_and_track(istio: Index) -> None:
    series = {
        "__name__": "istio_requests_total",
        "reporter": "source",
        "destination_service_namespace": NAMESPACE,
        "destination_app": "app-service",
        "destination_version": "unknown",
        "source_version": "canary",
        "namespace": "istio-system",
    }
    made = relabel(metric_rules(istio), series)
    assert made is not None
    assert (made["app"], made["track"], made["namespace"]) == ("app-service", "canary", NAMESPACE)
    assert relabel(metric_rules(istio), {**series, "reporter": "destination"}) is None
    assert relabel(metric_rules(istio), {**series, "destination_service_namespace": "x"}) is None


def test_each_app_is_scraped_at_its_metrics_service(istio: Index) -> None:
    for app in APPS:
        monitor = one(istio, "ServiceMonitor", app)
        found = [
            item.name
            for item in istio.of("Service")
            if selected(monitor.spec["selector"]["matchLabels"], item.labels)
        ]
        assert found == [f"{app}-metrics"]


def test_the_gateways_pods_are_looked_for_in_their_namespace() -> None:
    index = render({"gateway": {"namespace": "edge", "selector": {"istio": "edge"}}})
    spec = one(index, "PodMonitor", "mesh-gateway").spec
    assert spec["namespaceSelector"] == {"matchNames": ["edge"]}
    assert spec["selector"]["matchLabels"] == {"istio": "edge"}


def test_labels_let_an_existing_operator_select() -> None:
    mail = {**MAIL, "labels": {"alertmanager": "main"}}
    index = render(
        monitoring(labels={"release": "kps"}, ruleLabels={"role": "rules"}, alertmanager=mail)
    )
    for kind, key in (
        ("ServiceMonitor", "release"), ("PodMonitor", "release"), ("PrometheusRule", "role"),
        ("AlertmanagerConfig", "alertmanager"),
    ):  # fmt: skip
        assert index.of(kind)
        assert all(key in item.labels for item in index.of(kind))


def test_without_monitoring_there_is_none_of_it() -> None:
    index = render(monitoring(enabled=False, alertmanager=MAIL))
    kinds = {"ServiceMonitor", "PodMonitor", "PrometheusRule", "AlertmanagerConfig"}
    assert not [item for item in index if item.kind in kinds]
    assert not [item for item in index if "grafana_dashboard" in item.labels]


def test_no_recipient_no_mail(istio: Index) -> None:
    assert not istio.of("AlertmanagerConfig")


def test_the_password_is_in_a_secret_alone() -> None:
    auth = {"username": "me", "password": "hush-hush"}
    index = render(monitoring(alertmanager={**MAIL, "auth": auth}))
    (item,) = index.of("AlertmanagerConfig")
    (email,) = item.spec["receivers"][0]["emailConfigs"]
    assert email["authUsername"] == "me"
    assert email["authPassword"] == {"name": "alertmanager-smtp", "key": "password"}
    assert "hush-hush" not in str(item.raw)
    existing = {"username": "me", "existingSecret": "mine", "passwordKey": "pw"}
    index = render(monitoring(alertmanager={**MAIL, "auth": existing}))
    (email,) = index.of("AlertmanagerConfig")[0].spec["receivers"][0]["emailConfigs"]
    assert email["authPassword"] == {"name": "mine", "key": "pw"}
    assert index.get("Secret", "alertmanager-smtp") is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"alertmanager": {"recipient": "a@example.org"}}, "monitoring.alertmanager.smarthost"),
        ({"alertmanager": {**MAIL, "auth": {"username": "me"}}},
         "monitoring.alertmanager.auth.password"),
        ({"alertmanager": {**MAIL, "auth": {"existingSecret": "mine"}}},
         "monitoring.alertmanager.auth.existingSecret"),
        ({"alerts": {"NoSuchAlert": {"enabled": False}}}, "monitoring.alerts.NoSuchAlert"),
    ],
)  # fmt: skip
def test_wrong_values_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ChartError, match=re.escape(message)):
        render(monitoring(**values))


def alerts(index: Index) -> dict[str, dict[str, Any]]:
    return {
        rule["alert"]: rule
        for item in index.of("PrometheusRule")
        for group in item.spec["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }


def test_releases_of_one_prometheus_judge_their_own_series_only(tmp_path: Path) -> None:
    """Two releases, and pods of a namespace that has none, all down: one alert for each release."""
    down = {"app": "app-service", "track": "stable"}
    up = 'up{{job="app-service", namespace="{}", app="app-service", track="stable"}}'
    for namespace in ("shop", "bakery"):
        items = render(namespace=namespace).of("PrometheusRule")
        groups = [group for item in items for group in item.spec["groups"]]
        for number, group in enumerate(groups):
            group["name"] += str(number)
            for rule in group["rules"]:
                rule.pop("annotations", None)
        (tmp_path / f"{namespace}.yaml").write_text(yaml.safe_dump({"groups": groups}))
    series = [{"series": up.format(name), "values": "0x20"} for name in ("shop", "bakery", "other")]
    expected = [
        {"exp_labels": {"severity": "critical", "namespace": name, **down}}
        for name in ("bakery", "shop")
    ]
    test = {
        "interval": "15s",
        "input_series": series,
        "alert_rule_test": [
            {"eval_time": "3m", "alertname": "ServiceDown", "exp_alerts": expected}
        ],
    }
    written = {"rule_files": ["shop.yaml", "bakery.yaml"], "tests": [test]}
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(written))
    command = ["promtool", "test", "rules", str(tmp_path / "test.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_databases_volume_is_watched_under_its_own_name() -> None:
    assert (
        'persistentvolumeclaim="data-postgresql-0"'
        in alerts(render())["EventStoreNearlyFull"]["expr"]
    )
    mine = alerts(render({"store": {"postgresql": {"existingClaim": "mine"}}}))
    assert mine["EventStoreNearlyFull"]["expr"].count('persistentvolumeclaim="mine"') == 2


def test_values_change_single_alerts() -> None:
    changed = alerts(
        render(
            monitoring(
                alerts={
                    "ServiceDown": {"for": "3s"},
                    "CanaryErrors": {"severity": "info"},
                    "TargetDown": {"enabled": False},
                }
            )
        )
    )
    before = alerts(render())
    assert before["ServiceDown"]["for"] == "1m"
    assert changed["ServiceDown"] == {**before["ServiceDown"], "for": "3s"}
    assert changed["CanaryErrors"]["labels"]["severity"] == "info"
    assert set(before) - set(changed) == {"TargetDown"}


def test_an_alert_has_all_that_a_mail_says(istio: Index) -> None:
    for name, rule in alerts(istio).items():
        notes = rule["annotations"]
        assert set(notes) == {"summary", "description", "runbook"}, name
        assert "$value" in notes["description"] or name == "ServiceDown"
        assert "track" in notes["description"] or "Certificate" in name
        assert rule["labels"]["severity"] in {"critical", "warning"}
        if name.startswith("Canary"):
            assert "serinus rollout abort" in notes["description"]


@pytest.mark.parametrize(("routed", "canary"), [(True, 25), (False, 0)])
def test_what_is_configured_is_series(routed: bool, canary: int) -> None:
    index = render(
        {
            "rollout": {
                "epoch": 7,
                "weights": {"stable": 75, "canary": 25},
                "canary": {"enabled": True, "routed": routed},
            }
        }
    )
    (group,) = one(index, "PrometheusRule", "rollout").spec["groups"]
    workloads = {
        (rule["labels"]["app"], rule["labels"]["track"]): rule["expr"]
        for rule in group["rules"]
        if rule["record"] == "serinus:configured_workload"
    }
    assert workloads == {
        (app, track): "vector(1)" for app in APPS for track in ("stable", "canary")
    }
    found = {
        (rule["record"], rule["labels"].get("track")): rule["expr"]
        for rule in group["rules"]
        if "app" not in rule["labels"]
    }
    assert found == {
        ("serinus:configured_weight:percent", "canary"): f"vector({canary})",
        ("serinus:configured_weight:percent", "stable"): f"vector({100 - canary})",
        ("serinus:configured_epoch", None): "vector(7)",
    }


def test_labels_that_select_win_over_the_chart_s_own() -> None:
    """As an operator's Prometheus asks for them; written twice they would be refused."""
    wanted = {"app.kubernetes.io/instance": "monitoring", "app.kubernetes.io/name": "it"}
    given = monitoring(
        labels=wanted, ruleLabels=wanted, alertmanager={**MAIL, "labels": wanted},
        grafana={"dashboardLabels": wanted},
    )  # fmt: skip
    index = render(given)
    for kind in ("ServiceMonitor", "PodMonitor", "PrometheusRule", "AlertmanagerConfig"):
        for item in index.of(kind):
            assert wanted.items() <= item.labels.items(), str(item)
            assert item.labels["app.kubernetes.io/part-of"] == "serinus", str(item)
    assert one(index, "ConfigMap", "dashboard-overview").labels["app.kubernetes.io/name"] == "it"


def test_grafana_is_routed_only_by_choice(istio: Index) -> None:
    assert istio.get("VirtualService", "grafana-gateway") is None
    index = render({"hosts": {"grafana": "grafana.example.org"}})
    item = one(index, "VirtualService", "grafana-gateway")
    assert item.spec["hosts"] == ["grafana.example.org"]
    assert "prometheus" not in str([other.raw for other in index.of("VirtualService")])
