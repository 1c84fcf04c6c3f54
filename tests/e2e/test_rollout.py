"""Changes of the rollout on the running system: weights, epochs, abort, under load."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest

from serinus.contracts.routing import Assignment
from serinus.visitors.journey import Client
from serinus.visitors.page import read
from tests.e2e.support import FRONTEND, Answer, Run, joined

pytestmark = pytest.mark.slow


async def _draw(run: Run, count: int, block: int) -> list[Answer]:
    async def one(number: int) -> Answer:
        async with run.visitor(f"127.{block}.{number // 250}.{1 + number % 250}") as ask:
            return await ask()

    answers: list[Answer] = []
    for first in range(0, count, 50):
        some = range(first, min(first + 50, count))
        answers += await asyncio.gather(*(one(number) for number in some))
    return answers


async def test_a_ramp_moves_nobody_and_a_new_epoch_draws_everyone(own_system: Run) -> None:
    before = await _draw(own_system, 120, 205)
    pids = {row["name"]: row["pid"] for row in own_system.rows()}
    own_system.serinus("rollout", "set", "--canary", "25")
    assert {row["name"]: row["pid"] for row in own_system.rows()} == pids, (
        "a weight moves no process"
    )
    async with own_system.visitor("127.205.9.9") as ask:
        for answer in before[:60]:
            again = await ask(cookie=joined(answer.cookies))
            assert again.track == answer.track
            assert "app-version" not in again.cookies
        (drawn,) = await _draw(own_system, 1, 206)
        assert Assignment.parse(drawn.cookies["app-version"]).weight == 25

    epoch = own_system.epoch
    own_system.serinus("rollout", "abort")
    assert own_system.epoch == epoch + 1
    async with own_system.visitor("127.205.9.10") as ask:
        for answer in before[:60]:
            again = await ask(cookie=joined(answer.cookies))
            assert again.track == "stable"
            assert Assignment.parse(again.cookies["app-version"])[:3] == ("stable", epoch + 1, 0)


async def test_feedback_after_an_abort_lands_on_the_canarys_review(own_system: Run) -> None:
    async with own_system.visitor("127.207.0.1") as ask:
        while True:
            first = await ask()
            if first.track == "canary":
                break
        form = read(first.text).form("/reviews")
        sent = await ask(
            form.action, method="POST", cookie=joined(first.cookies),
            data={**form.fields, "text": "The dumplings were a revelation."},
            headers={"origin": f"http://{FRONTEND}:{own_system.port}"},
        )  # fmt: skip
        assert sent.status == 303
        result = await ask(sent.headers["location"], cookie=joined(first.cookies))
        own_system.serinus("rollout", "abort")
        moved = await ask(sent.headers["location"], cookie=joined(first.cookies))
        assert moved.track == "stable"
        cookies = first.cookies | moved.cookies
        form = read(moved.text).form("/feedback")
        given = await ask(
            form.action, method="POST", cookie=joined(cookies),
            data={**form.fields, "action": "confirm"},
            headers={"origin": f"http://{FRONTEND}:{own_system.port}"},
        )  # fmt: skip
    assert result.track == "canary"
    assert given.status == 303
    ((arm,),) = own_system.rows_of("SELECT arm FROM feedback")
    assert arm == "canary"


async def _load(run: Run, stop: asyncio.Event, block: int) -> Counter[str]:
    """Four visitors write and read until `stop`; returns what they met."""
    met: Counter[str] = Counter()

    async def visitor(number: int) -> None:
        client = Client(
            ("127.0.0.1", run.port), f"{FRONTEND}:{run.port}", f"127.{block}.1.{number}"
        )
        try:
            _, html, _ = await client.request("GET", "/", "page")
            while not stop.is_set():
                form = read(html).form("/reviews")
                status, _, location = await client.request(
                    "POST", form.action, "review", {**form.fields, "text": "Good bread, slow bar."}
                )
                met[f"review {status}"] += 1
                if status == 303:
                    status, _, _ = await client.request("GET", location, "result")
                    met[f"result {status}"] += 1
                status, html, _ = await client.request("GET", "/", "page")
                met[f"page {status}"] += 1
                # Slow enough for the limit per address, which stays on.
                await asyncio.sleep(0.1)
        finally:
            await client.close()

    await asyncio.gather(*(visitor(number) for number in range(1, 5)))
    return met


async def test_twenty_weight_changes_under_load_fail_no_request(own_system: Run) -> None:
    stop = asyncio.Event()
    load = asyncio.create_task(_load(own_system, stop, 208))
    for step in range(20):
        weight = random.Random(step).randrange(0, 101)
        await asyncio.to_thread(own_system.serinus, "rollout", "set", "--canary", str(weight))
    stop.set()
    met = await load
    assert set(met) == {"review 303", "result 200", "page 200"}, met
    assert met["page 200"] > 50


@pytest.mark.parametrize("app", ["app-frontend", "app-service", "model-service"])
async def test_a_killed_process_comes_back_and_nothing_answered_is_lost(
    own_system: Run, app: str
) -> None:
    stop = asyncio.Event()
    load = asyncio.create_task(_load(own_system, stop, 209))
    killed = 0
    for track in ("stable", "canary"):
        before = own_system.pid_of(app, track)
        own_system.kill(before)
        killed += 1
        await own_system.until_ready(app, track, other_than=before)
    stop.set()
    met = await load
    failed = sum(count for what, count in met.items() if what.split()[1] not in ("200", "303"))
    # Four visitors have at most four requests in flight at each kill.
    assert failed <= 4 * killed, met
    stored = own_system.rows_of("SELECT count(*) FROM reviews")[0][0]
    assert stored >= met["review 303"]
