"""Starting, stopping and surviving on one machine."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
from pathlib import Path

import psutil
import pytest

from tests.e2e.support import API, Run, eventually
from tests.support.process import free_port

pytestmark = pytest.mark.slow


def _alive(pids: set[int]) -> set[int]:
    return {
        pid
        for pid in pids
        if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    }


async def test_a_second_up_changes_nothing(own_system: Run) -> None:
    before = {row["name"]: row["pid"] for row in own_system.rows()}
    own_system.serinus("up")
    assert {row["name"]: row["pid"] for row in own_system.rows()} == before


async def test_down_ends_everything_also_after_the_supervisor_was_killed(own_system: Run) -> None:
    pids = {int(row["pid"]) for row in own_system.rows()}
    supervisor = int((own_system.state / "supervisor.pid").read_text())
    os.kill(supervisor, signal.SIGKILL)
    await eventually(lambda: not _alive({supervisor}))
    own_system.serinus("down")
    assert not _alive(pids)
    own_system.serinus("down")
    own_system.serinus("up")
    async with own_system.visitor() as ask:
        assert (await ask()).status == 200


async def test_two_runs_do_not_disturb_each_other(
    own_system: Run, tmp_path: Path, trained: Path
) -> None:
    other = Run(tmp_path / "other", free_port())
    shutil.copytree(trained, other.state / "registry")
    other.serinus("up", "--port", str(other.port))
    try:
        async with own_system.visitor() as one, other.visitor() as two:
            assert (await one()).status == (await two()).status == 200
        other.serinus("down")
        async with own_system.visitor() as one:
            assert (await one()).status == 200
    finally:
        other.serinus("down")


def test_a_taken_port_is_named_with_its_holder(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        run = Run(tmp_path / "state", taken.getsockname()[1])
        said = run.serinus("up", "--port", str(run.port), code=1)
    assert str(run.port) in said
    assert str(os.getpid()) in said


async def test_the_model_cache_serves_without_the_registry(own_system: Run) -> None:
    shutil.rmtree(own_system.state / "registry")
    for track in ("stable", "canary"):
        before = own_system.pid_of("model-service", track)
        own_system.kill(before)
        await own_system.until_ready("model-service", track, other_than=before)
    async with own_system.visitor() as ask:
        answer = await ask("/v1/reviews", method="POST", host=API, json={"text": "Great tacos."})
    assert answer.status == 201
    assert answer.json()["sentiment"] == "positive"


async def test_reviews_outlive_a_restart(own_system: Run) -> None:
    async with own_system.visitor() as ask:
        made = (
            await ask("/v1/reviews", method="POST", host=API, json={"text": "Great tacos."})
        ).json()
    own_system.serinus("down")
    await asyncio.to_thread(own_system.serinus, "up")
    async with own_system.visitor() as ask:
        again = await ask(
            f"/v1/reviews/{made['id']}", host=API,
            headers={"authorization": f"Bearer {made['feedback_token']}"},
        )  # fmt: skip
    assert again.json()["text"] == "Great tacos."


async def test_envoy_comes_back_within_seconds(own_system: Run) -> None:
    (before,) = [
        row["pid"] for row in own_system.rows() if row["app"] == "envoy" or row["name"] == "envoy"
    ]
    own_system.kill(before)

    async def answers() -> bool:
        try:
            async with own_system.visitor() as ask:
                return (await ask()).status == 200
        except OSError:
            return False

    for _ in range(200):
        if await answers():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the gateway did not come back")
