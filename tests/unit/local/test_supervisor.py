import asyncio
import signal

import pytest

from serinus.errors import LocalRunError
from serinus.local.plan import Daemon, File, Probe, revision
from serinus.local.supervisor import Supervisor
from serinus.local.workspace import Workspace

PROBED = {"readiness": Probe(path="/ready", port=8080)}
NEVER = {"readiness": Probe(path="/never", port=8080)}


class Publisher:
    def __init__(self, machine):
        self.calls = []
        self.machine = machine

    def publish(self, plan, endpoints):
        self.calls.append(
            (
                plan.manifest,
                {item.workload: item.address for item in endpoints},
                len(self.machine.alive()),
            )
        )

    @property
    def last(self):
        return self.calls[-1]


@pytest.fixture
def publisher(machine):
    return Publisher(machine)


@pytest.fixture
async def supervisor(machine, publisher, tmp_path):
    supervisor = Supervisor(Workspace(tmp_path), machine, publisher)
    yield supervisor
    await supervisor.stop()
    assert not machine.alive()


def states(supervisor):
    return {row.name.rsplit("-", 2)[0]: row.state for row in supervisor.rows()}


async def test_a_plan_becomes_processes_with_addresses_and_endpoints(
    supervisor, publisher, make_plan, make_workload, machine, tmp_path
):
    await supervisor.apply(
        make_plan(make_workload(replicas=2, of=PROBED), make_workload("back-stable"))
    )
    assert len(machine.alive()) == 3
    addresses = sorted(row.address for row in supervisor.rows())
    assert addresses == ["127.20.1.10", "127.20.1.11", "127.20.1.12"]
    assert machine.children[0].command.env == {"HOST": "127.20.1.10", "SERINUS_RUN": str(tmp_path)}
    assert set(publisher.last[1]) == {"front-stable", "back-stable"}


async def test_the_same_plan_again_touches_nothing(
    supervisor, publisher, make_plan, make_workload, machine
):
    plan = make_plan(make_workload(), make_workload("back-stable"))
    await supervisor.apply(plan)
    pids = [child.pid for child in machine.alive()]
    await supervisor.apply(plan)
    assert [child.pid for child in machine.alive()] == pids


async def test_a_changed_weight_changes_routes_and_no_process(
    supervisor, publisher, make_plan, make_workload, machine
):
    await supervisor.apply(make_plan(make_workload(), manifest="10"))
    pids = [child.pid for child in machine.alive()]
    await supervisor.apply(make_plan(make_workload(), manifest="25"))
    assert [child.pid for child in machine.alive()] == pids
    assert publisher.last[0] == "25"


async def test_a_new_pod_is_ready_before_routes_change_and_the_old_one_stops(
    supervisor, publisher, make_plan, make_workload, machine
):
    await supervisor.apply(make_plan(make_workload(of=PROBED), manifest="old"))
    old = machine.children[0]
    machine.sick.add("/ready")
    change = asyncio.create_task(
        supervisor.apply(make_plan(make_workload(command="two", of=PROBED), manifest="new"))
    )
    for _ in range(200):
        await machine.sleep(0.01)
    assert len(machine.alive()) == 2
    assert publisher.last[:2] == ("old", {"front-stable": "127.20.1.10"})
    machine.sick.discard("/ready")
    await change
    switched = next(call for call in publisher.calls if call[0] == "new")
    assert switched == ("new", {"front-stable": "127.20.1.11"}, 2)
    assert old.signals == [signal.SIGTERM]
    assert [child.command.argv for child in machine.alive()] == [("run", "two")]
    await supervisor.apply(make_plan(make_workload(command="three"), manifest="new"))
    assert supervisor.rows()[0].address == "127.20.1.10"


async def test_a_change_that_gets_not_ready_is_taken_back(
    supervisor, publisher, make_plan, make_workload, machine, tmp_path
):
    before = make_plan(make_workload(), manifest="old")
    await supervisor.apply(before)
    machine.crashing.add("two")
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "front-stable.log").write_text("an earlier run\n")
    with pytest.raises(LocalRunError, match=r"(?s)exit code 3.*no model") as caught:
        await supervisor.apply(make_plan(make_workload(command="two", of=NEVER), manifest="new"))
    assert "an earlier run" not in caught.value.what
    assert caught.value.where == "front/stable"
    assert "serinus logs front/stable" in caught.value.remedy
    assert supervisor.plan is before
    assert [child.command.argv for child in machine.alive()] == [("run", "one")]
    assert {call[0] for call in publisher.calls} == {"old"}


async def test_a_first_plan_that_fails_leaves_the_rest_running(
    supervisor, make_plan, make_workload, machine
):
    machine.crashing.add("bad")
    plan = make_plan(make_workload(command="bad", of=NEVER), make_workload("back-stable"))
    with pytest.raises(LocalRunError, match="did not get ready"):
        await supervisor.apply(plan)
    assert supervisor.plan is plan
    assert states(supervisor)["back-stable"] == "ready"


async def test_a_failing_process_does_not_hold_up_a_change_elsewhere(
    supervisor, publisher, make_plan, make_workload, machine
):
    machine.crashing.add("bad")
    with pytest.raises(LocalRunError):
        await supervisor.apply(make_plan(make_workload(command="bad", of=NEVER), manifest="10"))
    await supervisor.apply(
        make_plan(make_workload(command="bad", of=NEVER), manifest="0"), wait_all=False
    )
    assert publisher.last[0] == "0"
    with pytest.raises(LocalRunError, match="did not get ready"):
        await supervisor.apply(make_plan(make_workload(command="bad", of=NEVER), manifest="0"))


async def test_a_workload_that_goes_loses_its_routes_first(
    supervisor, publisher, make_plan, make_workload, machine
):
    await supervisor.apply(make_plan(make_workload(), make_workload("front-canary"), manifest="on"))
    await supervisor.apply(make_plan(make_workload(), manifest="off"))
    assert ("off", {"front-stable": "127.20.1.10"}, 2) in publisher.calls
    assert len(machine.alive()) == 1


async def test_replicas_grow_and_shrink(supervisor, make_plan, make_workload, machine):
    for replicas in (1, 3, 2, 0):
        await supervisor.apply(make_plan(make_workload(replicas=replicas)))
        assert len(machine.alive()) == replicas


async def test_recreate_stops_the_old_pod_first(supervisor, make_plan, make_workload, machine):
    await supervisor.apply(make_plan(make_workload(recreate=True)))
    machine.sick.add("/ready")
    change = asyncio.create_task(
        supervisor.apply(make_plan(make_workload(command="two", recreate=True, of=PROBED)))
    )
    for _ in range(100):
        await machine.sleep(0.01)
    assert [child.command.argv for child in machine.alive()] == [("run", "two")]
    machine.sick.discard("/ready")
    await change


async def test_a_crashed_pod_stays_an_endpoint_an_unready_one_does_not(
    supervisor, publisher, make_plan, make_workload, machine
):
    await supervisor.apply(make_plan(make_workload(of=PROBED)))
    machine.sick.add("/ready")
    machine.children[0].end(1)
    for _ in range(20):
        await machine.sleep(0.01)
    assert supervisor.rows()[0].state == "starting"
    assert publisher.last[1] == {"front-stable": "127.20.1.10"}
    machine.sick.discard("/ready")
    await supervisor.wait(lambda: supervisor.rows()[0].state == "ready", 10)
    machine.sick.add("/ready")
    await supervisor.wait(lambda: supervisor.rows()[0].state == "unready", 100)
    assert publisher.last[1] == {}


async def test_programs_are_reloaded_restarted_or_left(supervisor, make_plan, machine):
    def plan(a="1", b="1", argv="p"):
        daemon = Daemon(name="p", argv=("run", argv), files=("a",), reload_files=("b",))
        return make_plan(daemons=(daemon,), files=(File(path="a", text=a), File(path="b", text=b)))

    await supervisor.apply(plan())
    (first,) = machine.alive()
    await supervisor.apply(plan())
    machine.deaf.add(signal.SIGHUP)
    await supervisor.apply(plan(b="2"))
    assert machine.alive() == [first]
    assert first.signals == [signal.SIGHUP]
    await supervisor.apply(plan(a="2", b="2"))
    (second,) = machine.alive()
    assert second is not first
    await supervisor.apply(plan(a="2", b="2", argv="q"))
    (third,) = machine.alive()
    assert third.command.argv == ("run", "q")
    await supervisor.apply(make_plan())
    assert not machine.alive()


async def test_a_gateway_that_does_not_listen_is_an_error(supervisor, make_plan, machine):
    machine.closed.add(8080)
    plan = make_plan(daemons=(Daemon(name="envoy", argv=("run", "envoy")),))
    with pytest.raises(LocalRunError, match="gateway does not listen"):
        await supervisor.apply(plan)


async def test_a_process_that_crashes_after_it_was_ready_is_awaited_again(
    supervisor, make_plan, make_workload, machine
):
    plan = make_plan(make_workload(of=PROBED))
    await supervisor.apply(plan)
    machine.sick.add("/ready")
    machine.children[-1].end(1)
    await machine.sleep(0.2)
    again = asyncio.create_task(supervisor.apply(plan))
    await machine.sleep(5)
    assert not again.done()
    machine.sick.discard("/ready")
    await again
    assert supervisor.rows()[0].restarts == 1


async def test_programs_and_files_of_a_failed_change_are_taken_back(
    supervisor, make_plan, make_workload, machine, tmp_path
):
    def plan(text, *daemons, **more):
        return make_plan(make_workload(**more), daemons=daemons, files=(File(path="a", text=text),))

    prometheus = Daemon(name="p", argv=("run", "p"), files=("a",))
    await supervisor.apply(plan("old", prometheus))
    more = Daemon(name="q", argv=("run", "q"))
    with pytest.raises(LocalRunError):
        await supervisor.apply(plan("new", prometheus, more, command="two", of=NEVER))
    assert (tmp_path / "a").read_text() == "old"
    assert sorted(row.name for row in supervisor.rows() if row.kind == "program") == ["p"]


async def test_a_later_change_does_not_wait_for_one_that_is_stuck(
    supervisor, publisher, make_plan, make_workload, machine
):
    await supervisor.apply(make_plan(make_workload(), manifest="10"))
    stuck = asyncio.create_task(
        supervisor.apply(make_plan(make_workload(command="two", of=NEVER), manifest="25"))
    )
    await machine.sleep(5)
    before = machine.time
    await supervisor.apply(make_plan(make_workload(), manifest="0"))
    assert machine.time - before < 5
    with pytest.raises(LocalRunError, match="came in between"):
        await stuck
    assert publisher.last[0] == "0"
    assert [child.command.argv for child in machine.alive()] == [("run", "one")]


async def test_a_stop_does_not_wait_for_a_start_that_is_stuck(
    supervisor, make_plan, make_workload, machine
):
    stuck = asyncio.create_task(supervisor.apply(make_plan(make_workload(of=NEVER))))
    await machine.sleep(5)
    before = machine.time
    await supervisor.stop()
    assert machine.time - before < 5
    assert not machine.alive()
    with pytest.raises(LocalRunError, match="came in between"):
        await stuck


async def test_a_change_made_from_an_older_plan_is_refused(supervisor, make_plan, make_workload):
    first, second = (make_plan(make_workload(), manifest=text) for text in "12")
    kept = []
    await supervisor.apply(first, base="of an earlier run", in_force=lambda: kept.append(1))
    await supervisor.apply(second, base=revision(first), in_force=lambda: kept.append(2))
    with pytest.raises(LocalRunError, match="changed by another command"):
        await supervisor.apply(first, base=revision(first), in_force=lambda: kept.append(3))
    assert kept == [1, 2]
    assert supervisor.plan is second


async def test_what_a_failed_change_is_made_from_is_not_kept(
    supervisor, make_plan, make_workload, machine
):
    kept = []
    await supervisor.apply(make_plan(make_workload()), in_force=lambda: kept.append(1))
    machine.crashing.add("two")
    plan = make_plan(make_workload(command="two", of=NEVER))
    with pytest.raises(LocalRunError, match="did not get ready"):
        await supervisor.apply(plan, in_force=lambda: kept.append(2))
    assert kept == [1]
