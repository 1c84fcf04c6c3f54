"""Who may speak to whom: strict mutual TLS, and deny by default."""

from __future__ import annotations

import pytest

from tests.cluster.support import APPS, Release

ASK = """
import sys, urllib.error, urllib.request
for address in sys.argv[1:]:
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            print(answer.status)
    except urllib.error.HTTPError as error:
        print(error.code)
    except OSError as error:
        print("refused")
"""


def ask(place: Release, target: str, *addresses: str) -> list[str]:
    return place.python(target, ASK, *addresses).split()


@pytest.mark.parametrize("app", APPS)
def test_a_stranger_without_a_sidecar_is_refused(
    release: Release, strangers: Release, app: str
) -> None:
    address = f"http://{app}.{release.namespace}/version"
    assert ask(strangers, "bare", address) == ["refused"]


@pytest.mark.parametrize("app", APPS)
def test_a_stranger_with_a_sidecar_is_refused(
    release: Release, strangers: Release, app: str
) -> None:
    address = f"http://{app}.{release.namespace}/version"
    (answer,) = ask(strangers, "meshed", address)
    # 404: the routes name callers, and this one is none of them. 403: its identity is unknown.
    assert answer in {"403", "404"}


def test_a_stranger_who_goes_round_the_routes_is_refused(
    release: Release, strangers: Release
) -> None:
    for app in APPS:
        pod = release.get("pods", "-l", f"app={app}")["items"][0]["status"]["podIP"]
        for guest in ("bare", "meshed"):
            (answer,) = ask(strangers, guest, f"http://{pod}:8080/version")
            assert answer not in {"200", "404"}, f"{guest} to {app}: {answer}"


def test_the_frontend_cannot_speak_to_the_model(release: Release) -> None:
    pod = release.get("pods", "-l", "app=model-service")["items"][0]["status"]["podIP"]
    for track in ("stable", "canary"):
        answers = ask(
            release, f"deployment/app-frontend-{track}",
            "http://model-service/version", f"http://{pod}:8080/version",
        )  # fmt: skip
        assert "200" not in answers


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
