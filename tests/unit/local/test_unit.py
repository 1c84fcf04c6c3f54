import signal

import pytest

from serinus.local.plan import Probe
from serinus.local.unit import BACK_OFF, STEADY, Spec, Unit

READY = Probe(path="/ready", port=8080)


@pytest.fixture
def begin(machine, tmp_path):
    def begin(**more):
        bells = []
        spec = Spec(
            name="x",
            argv=("run", "x"),
            env={},
            log=str(tmp_path / "x.log"),
            address="127.0.0.9",
            **more,
        )
        unit = Unit(spec, machine, lambda: bells.append((unit.state, unit.pid)))
        unit.start()
        return unit, bells

    return begin


async def until(machine, done):
    for _ in range(1000):
        if done():
            return
        await machine.sleep(0.1)
    raise AssertionError("it never came true")


async def test_ready_at_once_without_a_probe(begin, machine):
    unit, bells = begin()
    await until(machine, lambda: unit.state == "ready")
    assert unit.pid == machine.children[0].pid
    await unit.stop()
    assert (unit.state, unit.pid, unit.restarts) == ("stopped", None, 0)
    assert [state for state, _ in bells][-2:] == ["stopping", "stopped"]


async def test_readiness_follows_its_probe(begin, machine):
    machine.sick.add("/ready")
    unit, _ = begin(readiness=READY)
    await until(machine, lambda: machine.time > 3)
    assert unit.state == "starting"
    machine.sick.discard("/ready")
    await until(machine, lambda: unit.state == "ready")
    machine.sick.add("/ready")
    before = machine.time
    await until(machine, lambda: unit.state == "unready")
    assert machine.time - before >= READY.period * (READY.failures - 1)
    machine.sick.discard("/ready")
    await until(machine, lambda: unit.state == "ready")
    await unit.stop()


async def test_what_dies_is_restarted_at_once_then_with_back_off(begin, machine):
    machine.crashing.add("x")
    unit, _ = begin()
    await until(machine, lambda: unit.restarts >= 5)
    waits = [seconds for seconds in machine.sleeps if seconds in BACK_OFF]
    assert waits[:3] == list(BACK_OFF[1:4])
    assert unit.failure == "ended with exit code 3"
    await unit.stop()
    assert unit.state == "stopped"


async def test_a_process_that_ran_long_is_restarted_at_once(begin, machine):
    unit, _ = begin()
    for number in range(4):
        await until(machine, lambda: unit.state == "ready")
        machine.time += STEADY
        machine.sleeps.clear()
        machine.children[-1].signal(signal.SIGKILL)
        await until(machine, lambda number=number: unit.restarts == number + 1)
        assert not set(machine.sleeps).intersection(BACK_OFF[2:])
    assert unit.failure == "was ended by SIGKILL"
    await unit.stop()


async def test_sigkill_follows_sigterm_after_the_grace_period(begin, machine):
    machine.deaf.add(signal.SIGTERM)
    unit, _ = begin(grace=7.0)
    await until(machine, lambda: unit.state == "ready")
    await unit.stop()
    assert machine.children[0].signals == [signal.SIGTERM, signal.SIGKILL]
    assert 7.0 in machine.sleeps


async def test_a_failing_liveness_probe_restarts(begin, machine):
    unit, _ = begin(readiness=READY, liveness=Probe(path="/live", port=9090, failures=2))
    await until(machine, lambda: unit.state == "ready")
    machine.sick.add("/live")
    await until(machine, lambda: unit.restarts == 1)
    await unit.stop()


async def test_a_start_that_takes_too_long_restarts(begin, machine):
    machine.sick.add("/start")
    unit, _ = begin(startup=Probe(path="/start", port=9090, period=1, failures=5))
    await until(machine, lambda: unit.restarts == 1)
    assert 5 <= machine.time < 20
    await unit.stop()


async def test_a_command_that_is_missing_is_told(begin, machine):
    machine.missing.add("run")
    unit, _ = begin()
    await until(machine, lambda: unit.restarts >= 2)
    assert unit.failure == "cannot be started: No such file or directory (run)"
    await unit.stop()


async def test_a_stop_ends_the_back_off(begin, machine):
    machine.crashing.add("x")
    unit, _ = begin()
    await until(machine, lambda: unit.state == "waiting" and unit.restarts > 1)
    await unit.stop()
    assert unit.state == "stopped"
    assert not machine.alive()


async def test_own_directories_come_and_go(begin, machine, tmp_path):
    folder = tmp_path / "pod"
    unit, _ = begin(directories=(str(folder), str(folder / "tmp")))
    await until(machine, lambda: unit.state == "ready")
    assert (folder / "tmp").is_dir()
    await unit.stop()
    assert not folder.exists()
