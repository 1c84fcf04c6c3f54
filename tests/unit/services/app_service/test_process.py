"""Real processes: started from the environment, two on one store, killed and started again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from tests.support import postgres
from tests.support.app_service import BLOCK, MODEL, Process
from tests.support.process import until_said

from serinus.services.app_service.store.base import Store


@pytest.fixture
async def model() -> AsyncIterator[None]:
    async def predict(_: web.Request) -> web.Response:
        answer = {"model": MODEL, "predictions": [{"label": "positive", "confidence": 0.9}]}
        return web.json_response(answer, headers={"x-served-by": "model-service/canary"})

    app = web.Application()
    app.router.add_post("/v1/predict", predict)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, f"{BLOCK}.1", 8080, reuse_address=True).start()
    yield
    await runner.cleanup()


@pytest.fixture
def processes() -> Iterator[list[Process]]:
    made: list[Process] = []
    yield made
    for process in made:
        process.kill()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def visitor() -> dict[str, str]:
    return {"x-user": secrets.token_hex(16), "x-assignment": "canary.7.10"}


async def test_two_processes_record_one_exposure_once(
    store_environment: dict[str, str], processes: list[Process], http: aiohttp.ClientSession,
    store: Store,
) -> None:  # fmt: skip
    processes += [Process(store_environment), Process(store_environment)]
    for process in processes:
        process.wait()

    async def expose(process: Process, headers: dict[str, str]) -> int:
        url = f"{process.url}/v1/exposures"
        async with http.post(url, json={"trigger": "page"}, headers=headers) as answer:
            return answer.status

    visitors = [visitor() for _ in range(40)]
    statuses = await asyncio.gather(
        *(expose(process, headers) for headers in visitors for process in processes * 2)
    )
    assert sorted(set(statuses)) == [201, 204]
    assert statuses.count(201) == len(visitors)
    events = (await store.events_since()).events
    assert len(events) == len({event.unit for event in events}) == len(visitors)


async def test_what_was_answered_survives_a_kill(
    store_environment: dict[str, str], processes: list[Process], http: aiohttp.ClientSession,
    model: None,
) -> None:  # fmt: skip
    processes.append(Process(store_environment))
    processes[0].wait()
    answered: list[tuple[dict[str, str], Any]] = []

    async def submit() -> None:
        with contextlib.suppress(aiohttp.ClientError):
            while True:
                headers = visitor() | {"idempotency-key": "k"}
                url = f"{processes[0].url}/v1/reviews"
                async with http.post(url, json={"text": "Soup."}, headers=headers) as answer:
                    assert answer.status == 201
                    answered.append((headers, await answer.json()))
                    if len(answered) == 60:
                        processes[0].popen.kill()

    await asyncio.gather(*(submit() for _ in range(8)))
    assert len(answered) >= 60
    processes.append(Process(store_environment))
    processes[1].wait()
    for headers, review in answered:
        url = f"{processes[1].url}/v1/reviews/{review['id']}"
        async with http.get(url, headers=headers) as answer:
            assert await answer.json() == review
    headers, review = answered[0]
    url = f"{processes[1].url}/v1/reviews"
    async with http.post(url, json={"text": "Soup."}, headers=headers) as answer:
        assert (answer.status, (await answer.json())["id"]) == (201, review["id"])


async def test_a_stop_lets_a_submission_finish(
    store_environment: dict[str, str], processes: list[Process], http: aiohttp.ClientSession
) -> None:
    asked, answer_now = asyncio.Event(), asyncio.Event()

    async def predict(_: web.Request) -> web.Response:
        asked.set()
        await answer_now.wait()
        prediction = {"label": "positive", "confidence": 0.9}
        return web.json_response({"model": MODEL, "predictions": [prediction]})

    app = web.Application()
    app.router.add_post("/v1/predict", predict)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, f"{BLOCK}.1", 8080, reuse_address=True).start()
    processes.append(Process(store_environment))
    processes[0].wait()
    url = f"{processes[0].url}/v1/reviews"
    waiting = asyncio.create_task(http.post(url, json={"text": "Soup."}, headers=visitor()))
    await asked.wait()
    processes[0].popen.terminate()
    await asyncio.to_thread(until_said, processes[0].popen.stdout, '"stopping"')
    answer_now.set()
    async with await waiting as answer:
        assert (answer.status, (await answer.json())["status"]) == (201, "ok")
    assert await asyncio.to_thread(processes[0].popen.wait, 10) == 0
    await runner.cleanup()


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, ["SERINUS_DATA_DIR", "DATABASE_URL"]),
        ({"UNIT_KEY": "short", "MODEL_SERVICE_URL": "model"}, ["UNIT_KEY", "MODEL_SERVICE_URL"]),
        ({"DATABASE_URL": "mysql://me:hunter2@x/y"}, ["DATABASE_URL"]),
    ],
)
def test_a_wrong_environment_is_listed_and_ends_it(
    environment: dict[str, str], words: list[str]
) -> None:
    process = Process(environment)
    output, _ = process.popen.communicate(timeout=60)
    assert process.popen.returncode == 2
    assert all(word in output for word in words)
    assert "Traceback" not in output
    assert "hunter2" not in output
    assert "short" not in output


def test_a_directory_that_cannot_be_written_ends_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    process = Process({"SERINUS_DATA_DIR": str(tmp_path / "file")})
    output, _ = process.popen.communicate(timeout=60)
    assert process.popen.returncode == 1
    assert "SERINUS_DATA_DIR" in output
    assert "Traceback" not in output


async def test_readiness_names_the_store(
    tmp_path: Path, processes: list[Process], http: aiohttp.ClientSession
) -> None:
    processes.append(Process({"SERINUS_DATA_DIR": str(tmp_path)}))
    processes[0].wait()
    url = f"http://{processes[0].host}:9090/readyz"
    async with http.get(url) as answer:
        assert answer.status == 200
    await asyncio.to_thread((tmp_path / "events.db").unlink)
    async with http.get(url) as answer:
        assert answer.status == 503
        assert "events.db is gone" in json.loads(await answer.text())["missing"]["store"]


@pytest.mark.postgres
async def test_readiness_outlives_the_outage_of_a_shared_database(
    processes: list[Process], http: aiohttp.ClientSession
) -> None:
    """All of them would leave service at once, and nobody could say why."""
    with postgres.running() as server:
        processes.append(Process({"DATABASE_URL": server.create()}))
        processes[0].wait()
        ready = f"http://{processes[0].host}:9090/readyz"
        async with http.get(ready) as answer:
            assert answer.status == 200
        server.stop()
        async with http.get(ready) as answer:
            assert answer.status == 200
        url = f"{processes[0].url}/v1/exposures"
        async with http.post(url, json={"trigger": "page"}, headers=visitor()) as answer:
            assert answer.status == 503
            assert "Nothing was kept" in await answer.text()
