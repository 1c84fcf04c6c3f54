"""Who may speak to whom: strict mutual TLS, and deny by default.

A refusal has its own shape: `403` is said by the policy to a caller that the mesh knows, and a
caller without the mesh's TLS has its connection reset. Whoever may is asked beside them, so that an
application that answers nobody is no refusal.
"""

from __future__ import annotations

import pytest

from tests.cluster.support import APPS, TRACKS, Release

ASK = """
import sys, urllib.error, urllib.request
for address in sys.argv[1:]:
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            print(answer.status)
    except urllib.error.HTTPError as error:
        print(error.code)
    except OSError as error:
        print(type(getattr(error, "reason", error)).__name__)
"""
RESET = "ConnectionResetError"


def ask(place: Release, target: str, *addresses: str) -> list[str]:
    return place.python(target, ASK, *addresses).split()


def addresses(release: Release, app: str) -> tuple[str, str, str]:
    """Of the Service, of one of its pods, and the Service of the metrics, which all may read."""
    pod = release.get("pod", release.pods(app)[0])["status"]["podIP"]
    return (
        f"http://{app}.{release.namespace}/version",
        f"http://{pod}:8080/version",
        f"http://{app}-metrics.{release.namespace}:9090/metrics",
    )


@pytest.mark.parametrize("app", APPS)
def test_a_stranger_without_a_sidecar_is_refused(
    release: Release, strangers: Release, app: str
) -> None:
    assert ask(strangers, "bare", *addresses(release, app)) == [RESET, RESET, "200"]


@pytest.mark.parametrize("app", APPS)
def test_a_stranger_with_a_sidecar_is_refused(
    release: Release, strangers: Release, app: str
) -> None:
    """Round the routes, at a pod's own address, its proxy speaks no TLS of the mesh either."""
    assert ask(strangers, "meshed", *addresses(release, app)) == ["403", RESET, "200"]


@pytest.mark.parametrize("track", TRACKS)
def test_each_speaks_to_the_next_one_only(release: Release, track: str) -> None:
    """The frontend cannot speak to the model, nor anyone to the one before it."""
    told = {
        app: ask(release, f"deployment/{app}-{track}", *(f"http://{to}/version" for to in APPS))
        for app in APPS
    }
    assert told == {
        "app-frontend": ["403", "200", "403"],
        "app-service": ["403", "403", "200"],
        "model-service": ["403", "403", "403"],
    }
    pod = release.get("pod", release.pods("model-service", track)[0])["status"]["podIP"]
    address = f"http://{pod}:8080/version"
    assert ask(release, f"deployment/app-frontend-{track}", address) == [RESET]


def test_the_second_port_shows_metrics_and_nothing_else(
    release: Release, strangers: Release
) -> None:
    for app in APPS:
        base = f"http://{app}-metrics.{release.namespace}:9090"
        answers = ask(strangers, "bare", f"{base}/metrics", f"{base}/readyz", f"{base}/livez")
        assert answers == ["200", "403", "403"], app


def test_the_database_knows_app_service_only(release: Release, strangers: Release) -> None:
    knock = """
import socket, struct, sys
try:
    with socket.create_connection((sys.argv[1], 5432), timeout=10) as link:
        link.sendall(struct.pack(">ii", 8, 80877103))
        print(link.recv(1).decode() or "closed")
except OSError:
    print("closed")
"""
    host = f"postgresql.{release.namespace}"
    for guest in ("bare", "meshed"):
        assert strangers.python(guest, knock, host).split() == ["closed"], guest
    assert release.python("deployment/model-service-stable", knock, host).split() == ["closed"]
    assert release.python("deployment/app-service-stable", knock, host).split() == ["N"]
