"""model-service over real HTTP: what is passed on, and what goes wrong in how many ways."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from serinus.services.app_service.predictor import ModelService, PredictionError

MODEL = {"name": "reviews", "version": "v1", "digest": "a" * 64}
GOOD = {"model": MODEL, "predictions": [{"label": "negative", "confidence": 0.75}]}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Upstream:
    """A server that answers what the test puts into `handler`."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], Any]] = []
        self.handler: Handler | None = None
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((dict(request.headers), await request.read()))
        if self.handler is not None:
            return await self.handler(request)
        return web.json_response(GOOD, headers={"x-served-by": "model-service/canary"})


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    made = Upstream()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    async with TestServer(app) as server:
        made.url = str(server.make_url("/"))
        yield made


def answering(status: int = 200, text: str = "") -> Handler:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=text, content_type="application/json")

    return handler


async def test_a_prediction_with_its_hop(upstream: Upstream) -> None:
    async with ModelService(upstream.url, 1.0) as model:
        answer = await model.predict("Kalte Suppe, ☹", {"x-user": "u", "x-caller": "c"})
    assert (answer.prediction.label, answer.prediction.confidence) == ("negative", 0.75)
    assert (answer.model.version, answer.served_by) == ("v1", "model-service/canary")
    ((headers, body),) = upstream.requests
    assert (headers["x-user"], headers["x-caller"]) == ("u", "c")
    assert body.decode() == '{"text":"Kalte Suppe, ☹"}'


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (answering(503, "{}"), "status 503"),
        (answering(302), "status 302"),
        (answering(200, "oops"), "makes no sense"),
        (answering(200, '{"model":{},"predictions":[]}'), "makes no sense"),
        (answering(200, '{"model":{"name":"r","version":"1","digest":"a"},"predictions":[]}'),
         "makes no sense"),
    ],
)  # fmt: skip
async def test_an_answer_that_is_no_prediction(
    upstream: Upstream, handler: Handler, message: str
) -> None:
    upstream.handler = handler
    async with ModelService(upstream.url, 1.0) as model:
        with pytest.raises(PredictionError, match=message):
            await model.predict("x", {})
        assert await model.version({}) is None
    assert len(upstream.requests) == 2


async def test_a_model_that_takes_too_long(upstream: Upstream) -> None:
    forever = asyncio.Event()

    async def handler(_: web.Request) -> web.StreamResponse:
        await forever.wait()
        return web.Response()

    upstream.handler = handler
    async with ModelService(upstream.url, 0.05) as model:
        with pytest.raises(PredictionError, match=r"within 0\.05 s"):
            await model.predict("x", {})
    forever.set()


async def test_a_model_out_of_reach() -> None:
    async with ModelService("http://127.0.0.1:1", 1.0) as model:
        with pytest.raises(PredictionError, match="can't be reached"):
            await model.predict("x", {})
        assert await model.version({}) is None


async def test_a_connection_closed_under_us_is_tried_once_more(upstream: Upstream) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        upstream.handler = None
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with ModelService(upstream.url, 1.0) as model:
        await model.predict("x", {})
        upstream.handler = handler
        assert (await model.predict("x", {})).prediction.label == "negative"
    assert len(upstream.requests) == 3


async def test_the_version_of_the_model(upstream: Upstream) -> None:
    upstream.handler = answering(
        text='{"app":"model-service","version":"3","track":"canary","model":null}'
    )
    async with ModelService(upstream.url + "/", 1.0) as model:
        found = await model.version({})
    assert found is not None
    assert (found.app, found.version) == ("model-service", "3")
