"""The monitoring programs of a run: Prometheus, Alertmanager, the mail server, Grafana.

Enters: the plan so far and the index of rendered objects; later the pods that run. Leaves: the plan
with more daemons and files, in `absent` one line for each program that is not installed, and
Prometheus's target files. Pure apart from looking for installed programs and writing the targets.
`extend` is called by `serinus.local.compose`, `values` by `serinus.local.session`, `Targets` by
`serinus.local.daemon`. None of these programs is needed to serve visitors.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import structs

from serinus.local import addresses
from serinus.local.fleet import Row
from serinus.local.plan import Daemon, File, Plan, Probe
from serinus.local.workspace import Workspace
from serinus.manifests import Index
from serinus.monitoring import alertmanager, grafana, prometheus, targets

KINDS: Final = ("ServiceMonitor", "PodMonitor", "PrometheusRule", "AlertmanagerConfig")
GRAFANA_HOME: Final = "SERINUS_GRAFANA_HOME"
MAILBOX: Final = "mail"
"""The folder below the state directory that `serinus mail` reads."""
INTERVAL: Final = "15s"
"""Where a monitor or a rule says none."""
RETENTION: Final = "15d"
SCRAPED: Final = {"starting", "ready", "unready", "waiting"}
"""States of a pod that should answer; one that is ill is a target too, as in a cluster."""
# Small heaps: a few hundred series per target don't need more.
GO: Final = {"GOGC": "40", "GOMAXPROCS": "1"}


def values(block: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Values that name this run's mail server, unless the user's name one."""
    mail = (asked.get("monitoring") or {}).get("alertmanager") or {}
    if mail.get("smarthost"):
        return {}
    return {
        "monitoring": {"alertmanager": {"smarthost": smarthost(block), "requireTLS": False}},
    }


def smarthost(block: str) -> str:
    """Address of this run's mail server."""
    return f"{addresses.host(block, addresses.SMTP)}:{addresses.SMTP_PORT}"


def extend(plan: Plan, index: Index) -> Plan:
    """The plan with its monitoring; unchanged when the chart renders none.

    Raises `MonitoringError` naming object and path.
    """
    if not any(index.of(kind) for kind in KINDS):
        return plan
    daemons: list[Daemon] = []
    files: list[File] = []
    absent: list[str] = []
    for part in (_prometheus, _alertmanager, _mail, _grafana):
        found, written, missing = part(plan, index)
        daemons += found
        files += written
        absent += missing
    return structs.replace(
        plan,
        daemons=(*plan.daemons, *daemons),
        files=(*plan.files, *files),
        absent=(*plan.absent, *absent),
    )


Part = tuple[list[Daemon], list[File], list[str]]


def _prometheus(plan: Plan, index: Index) -> Part:
    def path(*parts: str) -> str:
        return str(Path(plan.state, "prometheus", *parts))

    rules = list(prometheus.rules(index))
    host = addresses.host(plan.block, addresses.PROMETHEUS)
    config = prometheus.configuration(
        index,
        rules=[path("rules", name) for name, _ in rules],
        alertmanager=f"{addresses.host(plan.block, addresses.ALERTMANAGER)}"
        f":{addresses.ALERTMANAGER_PORT}",
        targets=path("targets"),
        interval=INTERVAL,
    )
    files = [
        *(File(path=f"prometheus/rules/{name}", text=text) for name, text in rules),
        File(path="prometheus/prometheus.yml", text=config),
    ]
    program = shutil.which("prometheus")
    if program is None:
        return [], files, ["no Prometheus here, so no metrics and alerts: apt install prometheus"]
    daemon = Daemon(
        name="prometheus",
        argv=(
            program,
            f"--config.file={path('prometheus.yml')}",
            f"--storage.tsdb.path={path('data')}",
            f"--storage.tsdb.retention.time={RETENTION}",
            f"--web.listen-address={host}:{addresses.PROMETHEUS_PORT}",
            # An Alertmanager that was away hears of everything within seconds.
            "--rules.alert.resend-delay=5s",
            "--log.level=warn",
        ),
        env=GO,
        address=host,
        readiness=Probe(path="/-/ready", port=addresses.PROMETHEUS_PORT, host=host),
        reload_files=tuple(file.path for file in files),
        directories=(path("data"), path("targets")),
        about="metrics and alerts",
        place=f"http://{host}:{addresses.PROMETHEUS_PORT}",
    )
    return [daemon], files, []


def _alertmanager(plan: Plan, index: Index) -> Part:
    host = addresses.host(plan.block, addresses.ALERTMANAGER)
    folder = Path(plan.state, "alertmanager")
    file = File(
        path="alertmanager/alertmanager.yml",
        text=alertmanager.configuration(index),
        mode=0o600,
    )
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if program is None:
        missing = "no Alertmanager here, so no mail: apt install prometheus-alertmanager"
        return [], [file], [missing]
    daemon = Daemon(
        name="alertmanager",
        argv=(
            program,
            f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address={host}:{addresses.ALERTMANAGER_PORT}",
            # One alone: no gossip, and no listener on all addresses.
            "--cluster.listen-address=",
            "--log.level=warn",
        ),
        env=GO,
        address=host,
        readiness=Probe(path="/-/ready", port=addresses.ALERTMANAGER_PORT, host=host),
        reload_files=(file.path,),
        directories=(str(folder / "data"),),
        about="mails alerts",
    )
    return [daemon], [file], []


def _mail(plan: Plan, index: Index) -> Part:
    if smarthost(plan.block) not in alertmanager.smarthosts(index):
        return [], [], []
    host = addresses.host(plan.block, addresses.SMTP)
    daemon = Daemon(
        name="mail",
        argv=(
            *(sys.executable, "-m", "serinus.mail"),
            *("--host", host, "--port", str(addresses.SMTP_PORT)),
            *("--dir", str(Path(plan.state, MAILBOX))),
        ),
        address=host,
        about="keeps the mail",
        place="serinus mail",
    )
    return [daemon], [], []


def _grafana(plan: Plan, index: Index) -> Part:
    folder = Path(plan.state, "grafana")
    host = addresses.host(plan.block, addresses.GRAFANA)
    server = (
        f"http://{addresses.host(plan.block, addresses.PROMETHEUS)}:{addresses.PROMETHEUS_PORT}"
    )
    made = grafana.files(index, folder=str(folder), prometheus=server)
    files = [File(path=f"grafana/{name}", text=text) for name, text in made.items()]
    command = grafana_command(os.environ)
    if command is None:
        return [], files, [f"no Grafana here: unpack one and set {GRAFANA_HOME} to its folder"]
    daemon = Daemon(
        name="grafana",
        argv=command,
        env=grafana.environment(
            folder=str(folder), data=str(folder / "data"), host=host, port=addresses.GRAFANA_PORT
        ),
        address=host,
        readiness=Probe(path="/api/health", port=addresses.GRAFANA_PORT, host=host),
        files=tuple(file.path for file in files if file.path.startswith("grafana/provisioning/")),
        directories=(str(folder / "data"), str(folder / "dashboards")),
        about="dashboards",
        place=f"http://{host}:{addresses.GRAFANA_PORT}",
    )
    return [daemon], files, []


def grafana_command(environ: Mapping[str, str]) -> tuple[str, ...] | None:
    """How to start Grafana: the one in `SERINUS_GRAFANA_HOME`, or the one on PATH, or none."""
    home = environ.get(GRAFANA_HOME)
    search = str(Path(home, "bin")) if home else environ.get("PATH", "")
    for name, verb in (("grafana", ("server",)), ("grafana-server", ())):
        if program := shutil.which(name, path=search):
            return (program, *verb, "--homepath", home or "/usr/share/grafana")
    return None


class Targets:
    """Writes Prometheus's target files, which it watches by itself."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._manifest = ""
        self._index = Index(())

    def publish(self, plan: Plan, rows: Iterable[Row]) -> None:
        """Write the targets of these pods; raises `MonitoringError`."""
        if self._manifest != plan.manifest:
            self._index = Index.parse(plan.manifest)
            self._manifest = plan.manifest
        for name, text in targets.files(self._index, pods(plan, self._index, rows)).items():
            self._workspace.write(f"prometheus/targets/{name}", text)


def pods(plan: Plan, index: Index, rows: Iterable[Row]) -> list[targets.Pod]:
    """The pods that should answer, and Envoy, which stands for the gateway's pods."""
    known = {item.name: item for item in plan.workloads}
    found = [
        targets.Pod(
            row.name,
            row.address,
            known[row.workload].labels,
            known[row.workload].template.ports,
            plan.namespace,
        )
        for row in rows
        if row.workload in known and row.state in SCRAPED
    ]
    envoy = addresses.host(plan.block, addresses.ENVOY)
    for gateway in index.of("Gateway"):
        labels = gateway.at("spec", "selector", default={})
        ports = {"http-envoy-prom": addresses.ENVOY_ADMIN_PORT}
        found.append(targets.Pod("envoy", envoy, labels, ports, None, "istio-proxy"))
    return found
