"""Logs of pods, against a recorded API server."""

import httpx2
import pytest
from click.exceptions import Exit
from tests.unit.cluster.conftest import Server, connected, deployment, pod

from serinus.cli import pod_logs
from serinus.cluster.target import Target
from serinus.errors import UnreachableError, UsageError

SHOP = "/api/v1/namespaces/shop"
RUNS = {"running": {}}


@pytest.fixture
def server():
    found = Server()
    found.answers |= {
        f"{SHOP}/pods": {"items": [pod("p-1", state=RUNS), pod("p-2", state=RUNS)]},
        f"{SHOP}/pods/p-1/log": "one\ntwo\n",
        "/apis/apps/v1/namespaces/shop/deployments": {"items": [deployment("app-service-canary")]},
        "/apis/apps/v1/namespaces/shop/statefulsets": {"items": []},
    }
    return found


@pytest.fixture
def target(server):
    return Target(connected(server))


def test_logs_are_of_the_application_and_a_wrong_name_is_told(target, server, capsys):
    pod_logs.logs(target, "app-service/canary", 5, follow=False)
    said = capsys.readouterr()
    assert said.out == "p-1 | one\np-1 | two\n"
    assert "p-2: no log: " in said.err
    assert any("labelSelector" in url and "canary" in url for _, url in server.asked)
    server.answers[f"{SHOP}/pods"] = {"items": []}
    with pytest.raises(UsageError, match=r"app-service/canary"):
        pod_logs.logs(target, "nothing", 5, follow=False)


def test_without_any_log_the_exit_code_tells(target, server, capsys):
    server.answers[f"{SHOP}/pods/p-1/log"] = httpx2.Response(403, text="no")
    with pytest.raises(Exit) as caught:
        pod_logs.logs(target, None, 5, follow=False)
    assert caught.value.exit_code == 1
    assert capsys.readouterr().out == ""


class Followed:
    """In the place of streams: each pod says its lines; `asked` keeps what was asked for."""

    def __init__(self, lines):
        self.lines = lines
        self.asked = []

    def __call__(self, name, container, lines, since):
        self.asked.append((name, lines, since))
        for said in self.lines[name].pop(0):
            if isinstance(said, Exception):
                raise said
            yield said


def test_following_takes_up_new_pods_restarts_and_cut_streams(target, server, monkeypatch, capsys):
    monkeypatch.setattr(pod_logs, "LOOK", 0.01)
    restarted = pod("p-1", state=RUNS, restarts=1)
    starting = pod("p-3", state={"waiting": {"reason": "ContainerCreating"}})
    server.answers[f"{SHOP}/pods"] = [
        {"items": [pod("p-1", state=RUNS)]},
        {"items": [restarted, starting]},
        {"items": [restarted, pod("p-3", state=RUNS)]},
    ]
    cut = UnreachableError("cut")
    followed = Followed({"p-1": [["a"], ["b"]], "p-3": [[cut], ["c", cut], ["d"]]})
    monkeypatch.setattr(target.cluster, "follow", followed)
    sources = pod_logs._sources(target, target.labels)
    told = pod_logs._follow(target, target.labels, sources, 7)
    assert [next(told) for _ in range(4)] == [
        ("p-1", "a"), ("p-1", "b"), ("p-3", "c"), ("p-3", "d"),
    ]  # fmt: skip
    assert followed.asked == [
        ("p-1", 7, None), ("p-1", None, None),
        ("p-3", None, None), ("p-3", None, None), ("p-3", None, 1),
    ]  # fmt: skip
    assert "p-3: log cut: cut" in capsys.readouterr().err


def test_a_pod_between_two_crashes_has_a_log(target, server, monkeypatch):
    crashed = {"terminated": {"exitCode": 3, "reason": "Error"}}
    waits = {"waiting": {"reason": "CrashLoopBackOff"}}
    server.answers[f"{SHOP}/pods"] = {"items": [pod("p-1", state=waits, restarts=2, last=crashed)]}
    followed = Followed({"p-1": [["why"]]})
    monkeypatch.setattr(target.cluster, "follow", followed)
    told = pod_logs._follow(target, target.labels, pod_logs._sources(target, target.labels), 7)
    assert next(told) == ("p-1", "why")
