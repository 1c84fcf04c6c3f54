"""One release for all tests on the cluster, and one that echoes, in namespaces of their own.

Both are removed at the end.

Any cluster that KUBECONFIG names will do: the images and their registry come from
SERINUS_TEST_VALUES (tests/cluster/values.yaml for the rig), the gateway from SERINUS_TEST_GATEWAY.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.echo import Echo, rendered
from tests.cluster.support import RIG, Release, run, run_any
from tests.routing.table import load


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def cluster() -> None:
    """A cluster that answers; the failure says what to do."""
    done = run_any("kubectl", "get", "--raw", "/readyz", "--request-timeout=10s")
    if done.returncode:
        pytest.fail(
            f"no cluster answers: {done.stderr.strip()}\n"
            f"Start one with `make cluster`, then export KUBECONFIG={RIG}/kubeconfig.",
            pytrace=False,
        )


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
        },
    )
    release.uninstall()
    release.create_namespace()
    started = time.monotonic()
    try:
        release.helm("--wait", "--timeout", "5m")
        release.seconds = time.monotonic() - started
        yield release
    finally:
        release.uninstall()


@pytest.fixture(scope="session")
def echo(cluster: None) -> Iterator[Echo]:
    """The routing table's release, whose pods echo."""
    echo = rendered("serinus-test-table", load())
    echo.uninstall()
    echo.create_namespace()
    try:
        echo.install()
        yield echo
    finally:
        echo.uninstall()


@pytest.fixture(scope="session")
def strangers(cluster: None) -> Iterator[Release]:
    """A namespace with a pod without a sidecar and one with: pods `bare` and `meshed`."""
    import json

    from tests.cluster.support import PYTHON_IMAGE

    place = Release("serinus-strangers")
    place.create_namespace()
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    # Of the pod: the injected sidecar has no seccomp profile of its own.
    common = {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    try:
        for name, inject in (("bare", "false"), ("meshed", "true")):
            container = {
                "name": "app", "image": PYTHON_IMAGE, "imagePullPolicy": "IfNotPresent",
                "command": ["python", "-c", "import signal; signal.pause()"],
                "securityContext": security,
            }  # fmt: skip
            metadata = {"name": name, "labels": {"sidecar.istio.io/inject": inject}}
            spec = {
                "containers": [container],
                "securityContext": common,
                "terminationGracePeriodSeconds": 1,
            }
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
            place.kubectl("apply", "-f", "-", stdin=json.dumps(pod))
        place.kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=120s")
        yield place
    finally:
        run("kubectl", "delete", "namespace", place.namespace, "--wait=false")
