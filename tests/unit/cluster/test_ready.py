import itertools

import pytest
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import Pod

from serinus.clients.kubernetes import TIMEOUT
from serinus.cluster import ready
from serinus.errors import ClusterError, UnreachableError

from .conftest import deployment, pod

LABELS = {"app.kubernetes.io/instance": "serinus"}
APPS = "/apis/apps/v1/namespaces/shop"
PODS = "/api/v1/namespaces/shop/pods"
BACKOFF = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}
ENDED = {"terminated": {"exitCode": 3, "reason": "Error"}}


def _rows(*items, pods=()):
    return ready.rows(
        [Deployment.from_dict(item) for item in items], [Pod.from_dict(item) for item in pods]
    )


def _serve(server, deployments, pods=()):
    server.answers |= {
        f"{APPS}/deployments": {"items": deployments},
        f"{APPS}/statefulsets": {"items": []},
        PODS: {"items": list(pods)},
    }


def _wait(cluster, shown=None, seconds=60.0, **options):
    ticks = itertools.count(0.0, 5.0)
    return ready.wait(
        cluster, LABELS, shown.append if shown is not None else lambda _: None,
        seconds=seconds, clock=lambda: next(ticks), pause=lambda _: None, **options,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("counts", "state"),
    [
        ({}, "ready"),
        ({"available": 1}, "waiting"),
        ({"updated": 1}, "waiting"),
        # An old pod still runs beside the new ones.
        ({"there": 3}, "waiting"),
    ],
)
def test_a_workload_is_ready_when_only_its_newest_pods_are_there(counts, state):
    assert _rows(deployment("app-service-canary", **counts))[0].state == state


def test_a_change_that_the_controller_has_not_seen_is_not_ready():
    item = deployment("app-service-canary")
    item["metadata"]["generation"] = 4
    assert _rows(item)[0].state == "waiting"


def test_rows_put_stable_before_canary_and_the_rest_last():
    names = ["app-service-canary", "app-service-stable", "app-frontend-canary"]
    rows = _rows(deployment("postgresql", app=False), *map(deployment, names))
    assert [row.name for row in rows] == [
        "app-frontend-canary", "app-service-stable", "app-service-canary", "postgresql",
    ]  # fmt: skip


def test_wait_shows_progress_and_ends_when_all_is_ready(server, cluster):
    _serve(server, [])
    server.answers[f"{APPS}/deployments"] = [
        {"items": [deployment("app-service-canary", available=count)]} for count in (0, 1, 2)
    ]
    shown = []
    _wait(cluster, shown)
    assert [[row.ready for row in rows] for rows in shown] == [[0], [1], [2]]


def test_wait_for_some_names_is_not_held_up_by_others(server, cluster):
    _serve(server, [deployment("app-service-canary"), deployment("app-service-stable", updated=0)])
    done = _wait(cluster, names=frozenset({"app-service-canary"}))
    assert [row.name for row in done] == ["app-service-canary"]


def test_a_crash_names_pod_reason_and_the_last_lines_of_the_run_before(server, cluster):
    crashing = pod("app-service-canary-x", state=BACKOFF, restarts=4, last=ENDED)
    _serve(server, [deployment("app-service-canary", available=0)], [crashing])
    server.answers[f"{PODS}/app-service-canary-x/log"] = "first\nmodel is missing\n"
    with pytest.raises(ClusterError) as caught:
        _wait(cluster)
    said = str(caught.value)
    assert "not ready: app-service-canary" in said
    assert "pod app-service-canary-x, container app: Error, exit code 3, 4 restarts" in said
    assert "    model is missing" in said
    assert "serinus deploy --rollback" in said
    assert any("previous=true" in url and "tailLines=15" in url for _, url in server.asked)


def test_a_first_crash_is_waited_for(server, cluster):
    crashing = pod("app-service-canary-x", state=BACKOFF, restarts=1, last=ENDED)
    _serve(server, [], [crashing])
    server.answers[f"{APPS}/deployments"] = [
        *({"items": [deployment("app-service-canary", available=1)]} for _ in range(6)),
        {"items": [deployment("app-service-canary")]},
    ]
    assert _wait(cluster)[0].state == "ready"


def test_an_image_that_is_not_there_fails_without_asking_for_a_log(server, cluster):
    state = {"waiting": {"reason": "ImagePullBackOff", "message": "x" * 500}}
    _serve(
        server,
        [deployment("app-service-canary", available=0)],
        [pod("app-service-canary-x", state=state)],
    )
    with pytest.raises(ClusterError, match=r"ImagePullBackOff: x{160}\.\.\.") as caught:
        _wait(cluster)
    assert "log:" not in str(caught.value)


def test_a_refused_pod_is_told_by_its_deployment(server, cluster):
    refusal = {
        "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
        "message": "exceeded quota",
    }  # fmt: skip
    _serve(server, [deployment("app-service-canary", available=0, conditions=[refusal])])
    with pytest.raises(ClusterError, match="FailedCreate: exceeded quota"):
        _wait(cluster)


def test_time_that_is_up_tells_what_is_pending(server, cluster):
    pending = {
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "0/1 nodes: insufficient cpu",
    }  # fmt: skip
    waiting = pod("app-service-canary-x", state={"waiting": {}}, conditions=[pending])
    _serve(server, [deployment("app-service-canary", available=0)], [waiting])
    with pytest.raises(ClusterError, match=r"within 30 s[\s\S]*Unschedulable: 0/1 nodes"):
        _wait(cluster, seconds=30.0)


@pytest.mark.parametrize(
    ("status", "going", "serves"),
    [("True", None, True), ("False", None, False), ("True", "2026-01-01T00:00:00Z", False)],
)
def test_a_pod_that_goes_is_not_asked(status, going, serves):
    conditions = [{"type": "Ready", "status": status}]
    item = pod("p", state={"running": {}}, ready=True, conditions=conditions)
    item["metadata"]["deletionTimestamp"] = going
    assert ready.serves(Pod.from_dict(item)) is serves


def _made(item, template, at):
    item["metadata"]["labels"]["pod-template-hash"] = template
    item["metadata"]["creationTimestamp"] = at
    return item


def test_old_pods_that_crash_do_not_fail_the_change_that_mends_them(server, cluster):
    old = pod("app-service-canary-old", state=BACKOFF, restarts=9, last=ENDED)
    new = pod("app-service-canary-new", state={"running": {}})
    _serve(
        server,
        [],
        [_made(new, "b", "2026-01-01T00:00:09Z"), _made(old, "a", "2026-01-01T00:00:00Z")],
    )
    server.answers[f"{APPS}/deployments"] = [
        *({"items": [deployment("app-service-canary", available=1)]} for _ in range(8)),
        {"items": [deployment("app-service-canary")]},
    ]
    shown = []
    assert _wait(cluster, shown)[0].state == "ready"
    assert shown[0][0].failure == ""
    assert shown[0][0].restarts == 9


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_an_api_server_that_is_away_for_a_moment_does_not_end_the_wait(server, cluster):
    _serve(server, [deployment("app-service-canary")])
    asked = []

    def away(_):
        asked.append(clock.now)
        clock.now += TIMEOUT
        if len(asked) in away_at:
            raise UnreachableError("away")
        return []

    clock = Clock()
    away_at = {1, 2, 3}
    cluster.pods = away
    found = ready.wait(
        cluster, LABELS, lambda _: None, seconds=300, clock=clock, pause=lambda _: None
    )
    assert (found[0].state, len(asked)) == ("ready", 4)
    away_at = range(99)
    asked.clear()
    with pytest.raises(UnreachableError):
        ready.wait(cluster, LABELS, lambda _: None, seconds=300, clock=clock, pause=lambda _: None)
    assert len(asked) == 4
