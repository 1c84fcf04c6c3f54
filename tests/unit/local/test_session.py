"""A small chart, really rendered, really run behind Envoy."""

import http.client
import os
import shutil
import signal
import socket
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path

import psutil
import pytest
import yaml
from tests.support.process import free_port

from serinus import rollout
from serinus.errors import LocalRunError, PortInUseError, RolloutError
from serinus.local import control, session

CHART = Path(__file__).parent / "chart"

pytestmark = pytest.mark.slow


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def space(tmp_path):
    space = session.workspace(tmp_path / "state")
    yield space
    session.down(space, lambda rows: None)


@pytest.fixture
def up(space, port):
    said = []

    def up(*sets, port=port):
        asked = session.Asked((), sets, port, CHART)
        return session.up(space, asked, lambda rows: None, said.append)

    up.said = said
    return up


def ask(port):
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request("GET", "/", headers={"Host": "small.localhost"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def pids(space):
    return {row.name: row.pid for row in session.rows(space)}


def test_the_system_starts_changes_by_difference_and_stops(space, up, port):
    system = up()
    assert system.gateway == f"127.0.0.1:{port}"
    assert session.running(space.root).plan == system.plan
    before = pids(space)
    assert len(before) == 3
    assert {row.state for row in session.rows(space)} == {"ready"}
    assert ask(port) in {(200, "stable blue hello"), (200, "canary green hello")}

    assert up().plan == system.plan
    assert pids(space) == before

    def half(overlay, values):
        return rollout.set_weight(overlay, values, 50)

    session.roll(space, half, lambda rows: None)
    assert pids(space) == before
    tracks = Counter(ask(port)[1].split()[0] for _ in range(60))
    assert 10 < tracks["canary"] < 50

    up("greeting=bye")
    after = pids(space)
    assert after["envoy"] == before["envoy"]
    assert not set(after) & set(before) - {"envoy"}
    assert ask(port)[1].endswith("bye")
    assert session.overlay_of(space)["rollout"]["weights"] == {"stable": 50, "canary": 50}

    session.roll(space, rollout.abort, lambda rows: None)
    assert {ask(port)[1].split()[0] for _ in range(20)} == {"stable"}
    assert len(pids(space)) == 2
    assert session.overlay_of(space)["rollout"]["epoch"] == 2
    with pytest.raises(RolloutError):
        session.roll(space, rollout.abort, lambda rows: None)

    assert session.down(space, lambda rows: None) == 2
    assert not any(psutil.pid_exists(pid) for pid in pids_of(after, before))
    assert session.down(space, lambda rows: None) == 0
    with pytest.raises(LocalRunError, match="nothing runs here"):
        session.rows(space)


def pids_of(*records):
    return {pid for record in records for pid in record.values()}


def test_promotion_gives_stable_the_canarys_settings(space, up, port):
    up()
    session.roll(space, rollout.promote, lambda rows: None)
    assert {ask(port)[1] for _ in range(10)} == {"stable green hello"}
    again = up()
    assert rollout.read(again.values).epoch == 2
    assert {ask(port)[1] for _ in range(10)} == {"stable green hello"}


def test_what_is_killed_comes_back(space, up, port):
    up()
    row = next(row for row in session.rows(space) if row.track == "stable")
    os.kill(row.pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(row.pid)] if psutil.pid_exists(row.pid) else [], 5)
    again = up()
    now = next(row for row in session.rows(space) if row.track == "stable")
    assert (now.restarts, now.state) == (1, "ready")
    assert again.plan.workloads


@pytest.mark.parametrize("next_is_up", [True, False])
def test_a_killed_supervisor_leaves_nothing_that_the_next_command_cannot_clean(
    space, up, port, next_is_up
):
    up()
    before = pids(space)
    supervisor = psutil.Process(int(space.path("supervisor.pid").read_text()))
    supervisor.kill()
    supervisor.wait(5)
    if next_is_up:
        up()
        assert ask(port)[0] == 200
        assert len(pids(space)) == 3
    else:
        session.down(space, lambda rows: None)
    assert not any(psutil.pid_exists(pid) for pid in before.values())


def test_a_failing_change_is_taken_back_and_the_log_is_shown(space, up, port):
    up()
    before, overlay = pids(space), session.overlay_of(space)
    with pytest.raises(LocalRunError, match="no greeting for me") as caught:
        up("greeting=crash")
    assert "serinus logs front/" in caught.value.remedy
    assert pids(space) == before
    assert session.overlay_of(space) == overlay
    assert ask(port)[1].endswith("hello")
    assert session.running(space.root).values["greeting"] == "hello"


def test_a_failing_first_start_says_why_and_can_be_mended(space, up, port):
    with pytest.raises(LocalRunError, match="no greeting for me"):
        up("greeting=crash")
    assert any(row.state == "waiting" for row in session.rows(space))
    up("greeting=hi")
    assert ask(port)[1].endswith("hi")


def test_a_changed_canary_begins_a_new_epoch(space, up, port):
    assert rollout.read(up().values).epoch == 1
    changed = up("workloads.front.tracks.canary.env.COLOUR=red")
    assert rollout.read(changed.values).epoch == 2
    assert rollout.read(up("workloads.front.tracks.canary.env.COLOUR=red").values).epoch == 2


def test_a_port_in_use_is_named_before_anything_starts(space, up):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        taken = server.getsockname()[1]
        with pytest.raises(PortInUseError, match=f"port {taken} is held by process {os.getpid()}"):
            up(port=taken)
        assert not space.supervised()


def test_two_runs_do_not_meet(space, up, port, tmp_path):
    other = session.workspace(tmp_path / "other")
    second = free_port()
    try:
        up()
        asked = session.Asked((), ("greeting=other",), second, CHART)
        session.up(other, asked, lambda rows: None, lambda line: None)
        assert ask(port)[1].endswith("hello")
        assert ask(second)[1].endswith("other")
        first, there = ({row.address for row in session.rows(each)} for each in (space, other))
        assert not first & there
    finally:
        session.down(other, lambda rows: None)
    assert ask(port)[1].endswith("hello")


def test_a_changed_port_moves_the_gateway_and_no_process(space, up, port):
    up()
    before = pids(space)
    other = free_port()
    up(port=other)
    assert ask(other)[0] == 200
    assert pids(space) == before
    assert up(port=None).port == other


def test_rendering_makes_no_directory(space):
    prepared = session.prepare(space, session.Asked((), (), None, CHART))
    assert prepared.plan.workloads
    assert not space.root.exists()


def test_values_that_the_overlay_overrules_are_told(space, up):
    up()
    session.roll(space, lambda o, v: rollout.set_weight(o, v, 50), lambda rows: None)
    up("rollout.weights.canary=30", "rollout.weights.stable=70")
    assert any("gives way to 50, which is in force" in line for line in up.said)
    assert yaml.safe_load(space.path("overlay.yaml").read_text())["rollout"]["weights"] == {
        "stable": 50,
        "canary": 50,
    }


def test_a_removed_state_directory_ends_the_run(space, up):
    up()
    found = [psutil.Process(pid) for pid in pids(space).values()]
    shutil.rmtree(space.root)
    _, alive = psutil.wait_procs(found, timeout=20)
    assert not alive


def test_an_abort_overtakes_a_change_that_is_stuck(space, up, port):
    up()
    stuck, failed = threading.Event(), []

    def change():
        asked = session.Asked((), ("greeting=hang",), port, CHART)
        try:
            session.up(space, asked, lambda rows: len(rows) > 3 and stuck.set(), lambda line: None)
        except LocalRunError as error:
            failed.append(error)

    thread = threading.Thread(target=change)
    thread.start()
    assert stuck.wait(30)
    session.roll(space, rollout.abort, lambda rows: None)
    thread.join()
    assert "came in between" in failed[0].what
    assert session.overlay_of(space)["rollout"]["epoch"] == 2
    assert {row.track for row in session.rows(space) if row.kind == "pod"} == {"stable"}


def test_a_supervisor_that_hangs_is_killed_by_down(space, up, monkeypatch):
    up()
    before = pids(space)
    supervisor = psutil.Process(int(space.path("supervisor.pid").read_text()))
    supervisor.suspend()
    monkeypatch.setattr(control, "STOP_SILENCE", 0.2)
    session.down(space, lambda rows: None)
    assert not supervisor.is_running()
    assert not any(psutil.pid_exists(pid) for pid in before.values())
