"""What monitoring adds to a plan, and which pods Prometheus is told of."""

from __future__ import annotations

import json
import shutil
from importlib.resources import files
from pathlib import Path

import pytest
import yaml
from tests.support.monitoring import rendered

from serinus.local import monitoring
from serinus.local.fleet import Row
from serinus.local.plan import Gateway, Plan, Template, Workload
from serinus.local.workspace import Workspace
from serinus.manifests import Index


def plan(state: Path, manifest: str = "") -> Plan:
    return Plan(
        state=str(state),
        release="serinus",
        namespace="serinus",
        block="127.20.7",
        gateway=Gateway(addresses=("127.0.0.1",), port=8080),
        manifest=manifest,
        workloads=(
            Workload(
                name="app-service-canary",
                app="app-service",
                track="canary",
                labels={"app": "app-service", "version": "canary"},
                replicas=1,
                template=Template(argv=("x",), env={}, ports={"http": 8080, "http-metrics": 9090}),
            ),
        ),
    )


def row(name: str, state: str, workload: str = "app-service-canary") -> Row:
    return Row(
        name=name, kind="pod", workload=workload, app="app-service", track="canary", pid=1,
        state=state, restarts=0, address="127.20.7.10", failure="",  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The programs that are installed."""
    found = {"prometheus", "prometheus-alertmanager"}
    monkeypatch.delenv(monitoring.GRAFANA_HOME, raising=False)
    monkeypatch.setattr(
        shutil,
        "which",
        lambda name, path=None: f"/usr/bin/{name}" if name in found else None,
    )
    return found


def test_all_that_is_installed_runs(tmp_path: Path, programs: set[str]) -> None:
    made = monitoring.extend(plan(tmp_path), rendered())
    assert [item.name for item in made.daemons] == ["prometheus", "alertmanager", "mail"]
    (missing,) = made.absent
    assert "Grafana" in missing
    assert monitoring.GRAFANA_HOME in missing
    written = {file.path for file in made.files}
    for daemon in made.daemons:
        assert {*daemon.files, *daemon.reload_files} <= written
    assert "grafana/dashboards/overview.json" in written
    assert {f.mode for f in made.files if f.path.endswith("alertmanager.yml")} == {0o600}


def test_what_is_missing_is_said_and_the_rest_runs(tmp_path: Path, programs: set[str]) -> None:
    programs.clear()
    made = monitoring.extend(plan(tmp_path), rendered())
    assert [item.name for item in made.daemons] == ["mail"]
    assert [line.split()[1] for line in made.absent] == ["Prometheus", "Alertmanager", "Grafana"]
    assert all("\n" not in line for line in made.absent)


def test_grafana_comes_from_its_home(tmp_path: Path, programs: set[str]) -> None:
    programs.add("grafana")
    command = monitoring.grafana_command({monitoring.GRAFANA_HOME: "/opt/grafana"})
    assert command == ("/usr/bin/grafana", "server", "--homepath", "/opt/grafana")
    made = monitoring.extend(plan(tmp_path), rendered())
    (grafana,) = [item for item in made.daemons if item.name == "grafana"]
    assert grafana.env["GF_SERVER_HTTP_ADDR"] == "127.20.7.5"
    assert grafana.env["GF_AUTH_BASIC_ENABLED"] == "false"


def test_without_monitoring_nothing_is_added(tmp_path: Path) -> None:
    before = plan(tmp_path)
    assert monitoring.extend(before, Index(())) is before


def test_a_real_mail_server_replaces_the_local_one(tmp_path: Path, programs: set[str]) -> None:
    asked = {"monitoring": {"alertmanager": {"smarthost": "mail.example.org:587"}}}
    assert monitoring.values("127.20.7", asked) == {}
    assert monitoring.values("127.20.7", {}) == {
        "monitoring": {"alertmanager": {"smarthost": "127.20.7.4:1025", "requireTLS": False}}
    }
    # Another block: the rendered chart's mail server isn't this run's.
    import msgspec

    other = msgspec.structs.replace(plan(tmp_path), block="127.20.8")
    assert "mail" not in [item.name for item in monitoring.extend(other, rendered()).daemons]


def test_targets_are_pods_that_should_answer_and_envoy(tmp_path: Path) -> None:
    index = rendered()
    rows = [
        row("ready", "ready"),
        row("ill", "unready"),
        row("crashed", "waiting"),
        row("new", "pending"),
        row("going", "stopping"),
        row("gone", "stopped"),
        row("envoy", "ready", workload=""),
    ]
    pods = monitoring.pods(plan(tmp_path), index, rows)
    assert [pod.name for pod in pods] == ["ready", "ill", "crashed", "envoy"]
    assert pods[-1].ports == {"http-envoy-prom": 15000}


def test_target_files_follow_the_pods(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    target = monitoring.Targets(workspace)
    manifest = """
apiVersion: v1
kind: Service
metadata: {name: app-service-metrics, namespace: serinus, labels: {app: app-service}}
spec: {selector: {app: app-service}, ports: [{name: http-metrics, port: 9090}]}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: app-service, namespace: serinus}
spec: {selector: {matchLabels: {app: app-service}}, endpoints: [{port: http-metrics}]}
"""

    def written() -> list[str]:
        (path,) = (tmp_path / "prometheus" / "targets").iterdir()
        return [target for group in json.loads(path.read_text()) for target in group["targets"]]

    target.publish(plan(tmp_path, manifest), [row("a", "ready")])
    assert written() == ["127.20.7.10:9090"]
    target.publish(plan(tmp_path, manifest), [row("a", "stopping")])
    assert written() == []


def test_the_waits_add_up_to_less_than_the_goal() -> None:
    """Scrape, evaluate, wait, gather: a fault in the canary is mailed within 15 s."""
    found = yaml.safe_load(files("serinus.local").joinpath("values.yaml").read_text())["monitoring"]

    def seconds(text: str) -> int:
        return int(text.removesuffix("s"))

    each = seconds(found["scrapeInterval"]) + seconds(found["evaluationInterval"])
    alerts = ("ServiceDown", "CanaryErrors", "CanaryLatency", "ModelNotLoaded")
    wait = max(seconds(found["alerts"][name]["for"]) for name in alerts)
    assert each + wait + seconds(found["alertmanager"]["groupWait"]) < 15
    # A dead service must be known before its consequences fire.
    dead = seconds(found["alerts"]["ServiceDown"]["for"])
    assert all(seconds(found["alerts"][name]["for"]) > dead for name in ("CanaryErrors",))
