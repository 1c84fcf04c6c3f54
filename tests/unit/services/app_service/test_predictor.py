"""model-service over real HTTP: what is passed on, and what goes wrong in how many ways."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.support.upstream import FakeUpstream, running

from serinus.services.app_service.predictor import ModelService, PredictionError

MODEL = {"name": "reviews", "version": "v1", "digest": "a" * 64}
GOOD = {"model": MODEL, "predictions": [{"label": "negative", "confidence": 0.75}]}


@pytest.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    async with running() as made:
        made.say(200, GOOD, x_served_by="model-service/canary")
        yield made


async def test_a_prediction_with_its_hop(upstream: FakeUpstream) -> None:
    async with ModelService(upstream.url, 1.0) as model:
        answer = await model.predict("Kalte Suppe, ☹", {"x-user": "u", "x-caller": "c"})
    assert (answer.prediction.label, answer.prediction.confidence) == ("negative", 0.75)
    assert (answer.model.version, answer.served_by) == ("v1", "model-service/canary")
    ((_, _, headers, body),) = upstream.requests
    assert (headers["x-user"], headers["x-caller"]) == ("u", "c")
    assert body.decode() == '{"text":"Kalte Suppe, ☹"}'


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (503, b"{}", "status 503"),
        (302, b"", "status 302"),
        (200, b"oops", "makes no sense"),
        (200, b'{"model":{},"predictions":[]}', "makes no sense"),
        (200, b'{"model":{"name":"r","version":"1","digest":"a"},"predictions":[]}',
         "makes no sense"),
    ],
)  # fmt: skip
async def test_an_answer_that_is_no_prediction(
    upstream: FakeUpstream, status: int, body: bytes, message: str
) -> None:
    upstream.say(status, body)
    async with ModelService(upstream.url, 1.0) as model:
        with pytest.raises(PredictionError, match=message):
            await model.predict("x", {})
        assert await model.version({}) is None
    assert len(upstream.requests) == 2


async def test_a_model_that_takes_too_long(upstream: FakeUpstream) -> None:
    upstream.delay = asyncio.Event()
    async with ModelService(upstream.url, 0.05) as model:
        with pytest.raises(PredictionError, match=r"within 0\.05 s"):
            await model.predict("x", {})
    upstream.delay.set()


async def test_a_model_out_of_reach() -> None:
    async with ModelService("http://127.0.0.1:1", 1.0) as model:
        with pytest.raises(PredictionError, match="can't be reached"):
            await model.predict("x", {})
        assert await model.version({}) is None


async def test_a_connection_closed_under_us_is_tried_once_more(upstream: FakeUpstream) -> None:
    async with ModelService(upstream.url, 1.0) as model:
        await model.predict("x", {})
        upstream.drop = 1
        assert (await model.predict("x", {})).prediction.label == "negative"
    assert len(upstream.requests) == 3


async def test_the_version_of_the_model(upstream: FakeUpstream) -> None:
    told = {"app": "model-service", "version": "3", "track": "canary", "model": None}
    upstream.say(200, told)
    async with ModelService(upstream.url + "/", 1.0) as model:
        found = await model.version({})
    assert found is not None
    assert (found.app, found.version) == ("model-service", "3")
