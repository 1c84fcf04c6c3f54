"""Handles for the tests on a cluster: kubectl, helm, the gateway, pods, the database, Prometheus.

Enters: KUBECONFIG, and SERINUS_TEST_GATEWAY (host:port of the ingress gateway); both are the rig's
by default. Leaves: answers of the real cluster. A command that fails fails the test, with its
output.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts/serinus"
VALUES = Path(os.environ.get("SERINUS_TEST_VALUES", Path(__file__).with_name("values.yaml")))
_RIG_GATEWAY = f"127.0.0.1:{os.environ.get('SERINUS_CLUSTER_INGRESS_PORT', '18080')}"
GATEWAY = os.environ.get("SERINUS_TEST_GATEWAY", _RIG_GATEWAY)
RIG = Path(os.environ.get("SERINUS_CLUSTER_HOME", "/var/lib/serinus-cluster"))
APPS = ("app-frontend", "app-service", "model-service")
TRACKS = ("stable", "canary")
GIVEN = yaml.safe_load(VALUES.read_text(encoding="utf-8")) or {}
REGISTRY = GIVEN.get("image", {}).get("registry", "serinus.test")
PYTHON_IMAGE = os.environ.get("SERINUS_TEST_PYTHON_IMAGE", f"{REGISTRY}/python:3.11")
MAIL_IMAGE = os.environ.get("SERINUS_TEST_MAIL_IMAGE", f"{REGISTRY}/mail:dev")


def address() -> tuple[str, int]:
    """Where the ingress gateway listens."""
    host, _, port = GATEWAY.rpartition(":")
    return host, int(port)


def environment() -> dict[str, str]:
    """The rig's programs come first, and its cluster where KUBECONFIG names none.

    Never the current context of `~/.kube/config`: these tests break what they test.
    """
    own = {"KUBECONFIG": str(RIG / "kubeconfig"), **os.environ}
    return own | {"PATH": f"{RIG / 'bin'}:{os.environ['PATH']}"}


def run(*command: str, stdin: str | None = None, timeout: float = 300) -> str:
    """What a command prints; AssertionError with all of its output when it fails."""
    done = run_any(*command, stdin=stdin, timeout=timeout)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def run_any(
    *command: str, stdin: str | None = None, timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    """The same, whatever the exit code; a program that isn't there has the shell's."""
    try:
        return subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=timeout, check=False,
            env=environment(),
        )  # fmt: skip
    except FileNotFoundError as problem:
        return subprocess.CompletedProcess(command, 127, "", f"there is no {problem.filename}\n")


@cache
def on_rig() -> bool:
    """Is it the rig's cluster that KUBECONFIG names? Its address and its authority say so."""
    about = ("config", "view", "--raw", "--minify", "-o", "jsonpath={.clusters[0].cluster}")
    own = run_any("kubectl", "--kubeconfig", str(RIG / "kubeconfig"), *about)
    return own.returncode == 0 and own.stdout == run("kubectl", *about)


def released_charts() -> list[Path]:
    """Packages of the charts that were released, oldest first."""
    return sorted(
        Path(__file__).with_name("charts").glob("serinus-*.tgz"),
        key=lambda path: [int(part) for part in path.stem.removeprefix("serinus-").split(".")],
    )


@cache
def helm_version() -> tuple[int, ...]:
    """Of the `helm` on the path: flags of version 4 are unknown to 3."""
    text = run("helm", "version", "--template", "{{.Version}}").strip().lstrip("v")
    return tuple(int(part) for part in text.split("-")[0].split("+")[0].split(".")[:2])


@dataclass
class Release:
    """A release `serinus` in a namespace of its own; `values` are what it was installed with."""

    namespace: str
    values: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0

    @property
    def host(self) -> str:
        return str(self.values["hosts"]["frontend"])

    def kubectl(self, *words: str, stdin: str | None = None, timeout: float = 300) -> str:
        return run("kubectl", "-n", self.namespace, *words, stdin=stdin, timeout=timeout)

    def get(self, *words: str) -> Any:
        return json.loads(self.kubectl("get", *words, "-o", "json"))

    def create_namespace(self) -> None:
        """With sidecars, and Pod Security enforced."""
        labels = {
            "istio-injection": "enabled",
            "pod-security.kubernetes.io/enforce": "restricted",
            "pod-security.kubernetes.io/warn": "restricted",
        }
        metadata = {"name": self.namespace, "labels": labels}
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        run("kubectl", "apply", "-f", "-", stdin=json.dumps(namespace))

    def command(self, *flags: str, chart: Path = CHART) -> tuple[list[str], str]:
        """`helm upgrade --install` with these values; the second is what its stdin must be."""
        words = ["helm", "upgrade", "--install", "serinus", str(chart)]
        words += ["-n", self.namespace, "-f", str(VALUES), "-f", "-", *flags]
        if helm_version() >= (4,):
            words += ["--server-side=true", "--force-conflicts"]
        return words, yaml.safe_dump(self.values)

    def helm(self, *flags: str, timeout: float = 420, chart: Path = CHART) -> str:
        """Install or upgrade; on failure the pods' own words are part of the message."""
        words, values = self.command(*flags, chart=chart)
        done = run_any(*words, stdin=values, timeout=timeout)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}\n{self.trouble()}"
        return done.stdout

    async def change(self, *flags: str) -> None:
        """An upgrade beside running visitors."""
        words, values = self.command(*flags)
        await spawn(*words, stdin=values)

    def trouble(self) -> str:
        """What keeps pods from being there or ready, with last log lines, and the last warnings."""
        said = [self.kubectl("get", "pods", "-o", "wide")]
        for pod in self.get("pods")["items"]:
            name, status = pod["metadata"]["name"], pod["status"]
            about = [status, *status.get("conditions", ())]
            said += [
                f"{name}: {one.get('type', one.get('phase'))} {one.get('reason', '')}: {why}"
                for one in about
                if one.get("status") != "True" and (why := one.get("message"))
            ]
            for kind in ("initContainerStatuses", "containerStatuses"):
                for one in status.get(kind, ()):
                    if not one["ready"]:
                        log = run_any(
                            "kubectl", "-n", self.namespace, "logs", name, "-c", one["name"],
                            "--tail=5",
                        )  # fmt: skip
                        text = f"{log.stdout}{log.stderr}"
                        said.append(f"{name}/{one['name']}: {one['state']}\n{text}")
        warnings = run_any(
            "kubectl", "-n", self.namespace, "get", "events", "--field-selector=type=Warning",
            "--sort-by=.metadata.creationTimestamp",
        )  # fmt: skip
        return "\n".join([*said, *warnings.stdout.splitlines()[-20:]])

    def begin(self) -> None:
        """An empty namespace; waits until nothing is left of a former run."""
        if run_any("kubectl", "get", "namespace", self.namespace).returncode == 0:
            self.uninstall()
            run("kubectl", "wait", "--for=delete", f"namespace/{self.namespace}", "--timeout=180s")
        self.create_namespace()

    def uninstall(self) -> None:
        """Release and namespace go; pods may still be ending when this returns."""
        run_any("helm", "uninstall", "serinus", "-n", self.namespace)
        run_any("kubectl", "delete", "namespace", self.namespace, "--wait=false")

    def python(
        self, target: str, script: str, *arguments: str, stdin: str = "", container: str = "app"
    ) -> str:
        """What a script prints inside a pod; `target` is a pod, or deployment/NAME."""
        return self.kubectl(
            "exec", "-i", target, "-c", container, "--", "python", "-c", script, *arguments,
            stdin=stdin,
        )  # fmt: skip

    def sql(self, query: str) -> list[str]:
        """The rows of a query, as the database's own client prints them."""
        script = 'PGPASSWORD=$(cat /secrets/password) exec psql -h 127.0.0.1 -U serinus -Atc "$0"'
        answer = self.kubectl(
            "exec", "postgresql-0", "-c", "postgresql", "--", "sh", "-c", script, query
        )
        return answer.split()

    def pods(self, app: str, track: str = "") -> list[str]:
        """Names of the ready pods of a workload."""
        selector = f"app={app}" + (f",version={track}" if track else "")
        return [
            pod["metadata"]["name"]
            for pod in self.get("pods", "-l", selector)["items"]
            if "deletionTimestamp" not in pod["metadata"]
            and all(status["ready"] for status in pod["status"].get("containerStatuses", []))
        ]

    def metric(self, name: str) -> float:
        """The sum of a metric over all pods of the application, each asked on its port 9090."""
        total = 0.0
        for app in APPS:
            for pod in self.pods(app):
                path = f"/api/v1/namespaces/{self.namespace}/pods/{pod}:9090/proxy/metrics"
                for line in run("kubectl", "get", "--raw", path).splitlines():
                    if line.startswith((f"{name}{{", f"{name} ")):
                        total += float(line.rpartition(" ")[2])
        return total


@contextmanager
def smallest(name: str, **more: Any) -> Iterator[Release]:
    """A namespace for one pod per workload, models on a shared claim; empty until `helm`.

    `more` are values; there is no monitoring without any.
    """
    values: dict[str, Any] = {
        "hosts": {"frontend": f"{name}.localhost", "api": f"{name}-api.localhost"},
        "workloads": {app: {"replicas": 1} for app in APPS},
        "model": {"cache": {"type": "claim"}},
        "monitoring": {"enabled": False},
        **more,
    }
    release = Release(f"serinus-test-{name}", values)
    release.begin()
    try:
        yield release
    finally:
        release.uninstall()


async def spawn(*command: str, stdin: str = "") -> str:
    """A command beside running visitors; AssertionError when it fails."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment(),
    )
    async with asyncio.timeout(300):
        output, _ = await process.communicate(stdin.encode())
    assert process.returncode == 0, f"{' '.join(command)}\n{output.decode()}"
    return output.decode()


def prometheus(path: str) -> Any:
    """An answer of the cluster's Prometheus, reached through the API server."""
    pods = json.loads(
        run("kubectl", "get", "pods", "-A", "-l", "app.kubernetes.io/name=prometheus", "-o", "json")
    )["items"]
    assert pods, "no pod of the cluster is labelled app.kubernetes.io/name=prometheus"
    where = pods[0]["metadata"]
    raw = f"/api/v1/namespaces/{where['namespace']}/pods/{where['name']}:9090/proxy/api/v1/{path}"
    return json.loads(run("kubectl", "get", "--raw", raw))["data"]


def named(items: Iterable[dict[str, Any]]) -> set[str]:
    """Kind and name of objects."""
    return {f"{item['kind']}/{item['metadata']['name']}" for item in items}
