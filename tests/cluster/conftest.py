"""One release for all tests on the cluster, and one that echoes, in namespaces of their own.

Both are removed at the end.

Any cluster that KUBECONFIG names will do: the images and their registry come from
SERINUS_TEST_VALUES (tests/cluster/values.yaml for the rig), the images of the tests' own pods from
SERINUS_TEST_PYTHON_IMAGE and SERINUS_TEST_MAIL_IMAGE, the gateway from SERINUS_TEST_GATEWAY.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.echo import Echo, rendered
from tests.cluster.istiod import start_istiod
from tests.cluster.limited import Limited
from tests.cluster.support import APPS, MAIL_IMAGE, PYTHON_IMAGE, Release, run, run_any
from tests.routing.table import load

MAIL = "serinus-test-mail"
CONTAINER_SECURITY = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
# Of the pod: the injected sidecar has no seccomp profile of its own.
POD_SECURITY = {
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "seccompProfile": {"type": "RuntimeDefault"},
}


EARLY = ("test_install", "test_policy", "test_routing_table", "test_rights", "test_monitoring")
"""Look at a release whose pods are those that were installed, before the others replace them.

Monitoring comes last of them, since Prometheus takes its time to know a release.
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ours = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in ours:
        item.add_marker(pytest.mark.cluster)
    places = {name: number for number, name in enumerate(EARLY)}
    ordered = iter(sorted(ours, key=lambda item: places.get(item.path.stem, len(EARLY))))
    known = set(ours)
    items[:] = [next(ordered) if item in known else item for item in items]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What passed tests measured and printed: seconds, failed requests."""
    said = [
        f"{report.nodeid.rpartition('::')[2]}: {line}"
        for report in terminalreporter.stats.get("passed", [])
        if report.when == "call" and report.nodeid.startswith("tests/cluster/")
        for line in report.capstdout.splitlines()
        if line.strip()
    ]
    if said:
        terminalreporter.section("measured")
        terminalreporter.write_line("\n".join(said))


@pytest.fixture(scope="session")
def cluster() -> None:
    """A cluster that answers; the failure says what to do."""
    done = run_any("kubectl", "get", "--raw", "/readyz", "--request-timeout=10s")
    if done.returncode:
        pytest.fail(
            f"no cluster answers: {done.stderr.strip()}\n"
            f"Start one with `make cluster`; another one is named by KUBECONFIG alone, not by "
            "the current context.",
            pytrace=False,
        )
    start_istiod()
    Limited.forget()


@pytest.fixture(scope="session")
def release(cluster: None) -> Iterator[Release]:
    """The application, drawn as in the routing table; the limit is out of the load's way."""
    release = Release(
        "serinus-test",
        {
            # Not the table's hosts: those are the echo's, at the same gateway.
            "hosts": {
                "frontend": "app-frontend.test.localhost",
                "api": "app-service.test.localhost",
            },
            "api": {"expose": True},
            "rollout": load().rollout,
            "gateway": {"rateLimit": {"requestsPerSecond": 5000, "burst": 5000}},
            "monitoring": {
                "scrapeInterval": "5s",
                "evaluationInterval": "5s",
                "alerts": {"CanaryErrors": {"for": "5s"}},
                "alertmanager": {
                    "recipient": "operator@example.org",
                    "smarthost": f"smtp.{MAIL}.svc:1025",
                    "requireTLS": False,
                    "groupWait": "1s",
                },
            },
        },
    )
    release.begin()
    started = time.monotonic()
    try:
        release.helm("--wait", "--timeout", "5m")
        release.seconds = time.monotonic() - started
        yield release
    finally:
        release.uninstall()


@pytest.fixture(scope="session")
def small(cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Limited]:
    """A release of one pod each, installed by a user whose rights end at its namespace."""
    release = Release(
        "serinus-test-small",
        {
            "hosts": {"frontend": "small.localhost", "api": "small-api.localhost"},
            "workloads": {app: {"replicas": 1} for app in APPS},
            "gateway": {"rateLimit": {"enabled": False}, "checkHosts": False},
        },
    )
    # So that a number of pods that falls back to one would be seen.
    release.values["workloads"]["app-frontend"]["tracks"] = {"stable": {"replicas": 2}}
    release.begin()
    try:
        user = Limited.at(release, tmp_path_factory.mktemp("small"))
        user.serinus("deploy", *user.files)
        yield user
        user.run("helm", "uninstall", "serinus", "-n", release.namespace)
    finally:
        # In vain after the user's; what a failed test left in the gateway's namespace goes too.
        release.uninstall()


@pytest.fixture(scope="session")
def post(cluster: None) -> Iterator[Release]:
    """A mail server in a namespace of its own, which the release's alerts are mailed to."""
    place = Release(MAIL)
    place.begin()
    labels = {"app": "smtp", "sidecar.istio.io/inject": "false"}
    container = {
        "name": "app", "image": MAIL_IMAGE, "imagePullPolicy": "IfNotPresent",
        "securityContext": CONTAINER_SECURITY,
        "readinessProbe": {"tcpSocket": {"port": 1025}, "periodSeconds": 1},
        "volumeMounts": [{"name": "mail", "mountPath": "/mail"}],
    }  # fmt: skip
    spec = {
        "containers": [container],
        "securityContext": POD_SECURITY,
        "terminationGracePeriodSeconds": 1,
        "volumes": [{"name": "mail", "emptyDir": {}}],
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "spec": spec}
    pod["metadata"] = {"name": "smtp", "labels": labels}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "smtp"}}
    service["spec"] = {"selector": {"app": "smtp"}, "ports": [{"port": 1025}]}
    try:
        for item in (pod, service):
            place.kubectl("apply", "-f", "-", stdin=json.dumps(item))
        place.kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=120s")
        yield place
    finally:
        run("kubectl", "delete", "namespace", place.namespace, "--wait=false")


@pytest.fixture(scope="session")
def echo(cluster: None) -> Iterator[Echo]:
    """The routing table's release, whose pods echo."""
    echo = rendered("serinus-test-table", load())
    echo.begin()
    try:
        echo.install()
        yield echo
    finally:
        echo.uninstall()


@pytest.fixture(scope="session")
def strangers(cluster: None) -> Iterator[Release]:
    """A namespace with a pod without a sidecar and one with: pods `bare` and `meshed`."""
    place = Release("serinus-strangers")
    place.begin()
    try:
        for name, inject in (("bare", "false"), ("meshed", "true")):
            container = {
                "name": "app", "image": PYTHON_IMAGE, "imagePullPolicy": "IfNotPresent",
                "command": ["python", "-c", "import signal; signal.pause()"],
                "securityContext": CONTAINER_SECURITY,
            }  # fmt: skip
            metadata = {"name": name, "labels": {"sidecar.istio.io/inject": inject}}
            spec = {
                "containers": [container],
                "securityContext": POD_SECURITY,
                "terminationGracePeriodSeconds": 1,
            }
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
            place.kubectl("apply", "-f", "-", stdin=json.dumps(pod))
        place.kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=120s")
        yield place
    finally:
        run("kubectl", "delete", "namespace", place.namespace, "--wait=false")
