"""Real small processes: what a fake one cannot show."""

import asyncio
import os
import signal
import subprocess
import sys

import psutil
import pytest

from serinus.local import leftovers
from serinus.local.plan import Probe
from serinus.local.process import Command, RealMachine
from serinus.local.unit import Spec, Unit
from serinus.local.workspace import RUN_VARIABLE, Recorded, Workspace

PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""
SUPERVISOR = """
import asyncio, sys
from pathlib import Path
from serinus.local.process import Command, RealMachine
async def main():
    argv = (sys.executable, "-c", "import time; time.sleep(60)")
    child = await RealMachine().spawn(Command(argv, {}, "/", Path(sys.argv[1])))
    print(child.pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest.fixture
def command(tmp_path):
    def command(text, **env):
        return Command((sys.executable, "-c", text), env, "/", tmp_path / "x.log")

    return command


async def gone(pid):
    process = psutil.Process(pid) if psutil.pid_exists(pid) else None
    if process:
        await asyncio.to_thread(psutil.wait_procs, [process], 10)
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def written(path):
    """A file's text when it ends with a whole line; nothing tells that it was written."""
    for _ in range(2000):
        if path.exists() and path.read_text().endswith("\n"):
            return path.read_text()
        await asyncio.sleep(0.01)
    raise AssertionError(f"nothing was written to {path}")


async def test_environment_is_exact_and_output_is_the_log(command, tmp_path, monkeypatch):
    monkeypatch.setenv("FROM_THE_SHELL", "1")
    text = "import os; print(sorted(k for k in os.environ if not k.startswith('LC_')))"
    child = await RealMachine().spawn(command(text, A="b"))
    assert await child.wait() == 0
    assert (tmp_path / "x.log").read_text() == "['A']\n"


async def test_a_signal_that_comes_too_late_is_no_error(command):
    child = await RealMachine().spawn(command("pass"))
    await child.wait()
    child.signal(signal.SIGTERM)
    child.signal(signal.SIGKILL, group=True)


async def test_what_a_killed_process_started_dies_with_it(command, tmp_path):
    started = command(PARENT)
    unit = Unit(
        Spec(name="x", argv=started.argv, env={}, log=str(started.log)), RealMachine(), lambda: None
    )
    unit.start()
    grandchild = int(await written(started.log))
    os.kill(unit.pid, signal.SIGKILL)
    assert await gone(grandchild)
    await unit.stop()
    assert unit.restarts >= 1


async def test_processes_end_when_their_supervisor_is_killed(tmp_path):
    supervisor = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SUPERVISOR, str(tmp_path / "x.log"), stdout=asyncio.subprocess.PIPE
    )
    child = int(await supervisor.stdout.readline())
    assert psutil.pid_exists(child)
    supervisor.kill()
    await supervisor.wait()
    assert await gone(child)


async def test_a_probe_asks_over_http():
    async def answer(reader, writer):
        path = (await reader.readline()).split()[1].decode()
        await reader.readuntil(b"\r\n\r\n")
        if path != "/hang":
            writer.write(f"HTTP/1.1 {path[1:]} x\r\nContent-Length: 0\r\n\r\n".encode())
        else:
            await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    ask = RealMachine().probe
    async with server:
        for path, good in (("/200", True), ("/302", True), ("/404", False), ("/503", False)):
            assert await ask(Probe(path=path, port=port), "127.0.0.1") is good
        assert not await ask(Probe(path="/hang", port=port, timeout=0.05), "127.0.0.1")
    assert not await ask(Probe(path="/200", port=port), "127.0.0.1")


def sleeper(**env):
    """A process that sleeps, once it runs its own program."""
    process = subprocess.Popen(
        [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"],
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
    )
    process.stdout.readline()
    process.stdout.close()
    return process


def test_leftovers_are_found_by_record_and_by_environment(tmp_path):
    space = Workspace(tmp_path)
    space.create()
    ours = [sleeper(), sleeper(**{RUN_VARIABLE: str(space.root)})]
    stranger = sleeper()
    space.record(
        [
            Recorded("ours", ours[0].pid, psutil.Process(ours[0].pid).create_time()),
            Recorded("somebody with our old id", stranger.pid, 1.0),
        ]
    )
    try:
        assert leftovers.end(space) == 2
        # psutil has taken their exit codes.
        assert not any(psutil.pid_exists(process.pid) for process in ours)
        assert stranger.poll() is None
        assert space.recorded() == []
    finally:
        for process in (*ours, stranger):
            process.kill()
            process.wait()
