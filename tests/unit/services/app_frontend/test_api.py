"""The client of app-service, against a real server that does as it is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from tests.support.upstream import FakeUpstream, running

from serinus.contracts.api import FeedbackSubmission, Problem, ReviewSubmission
from serinus.services.app_frontend.api import AppService, RefusedError, UnavailableError
from serinus.services.app_frontend.identity import Visit, read
from serinus.services.chassis.context import CURRENT, RequestContext

USER = "0123456789abcdef" * 2
REVIEW = {
    "id": "r1", "text": "Good.", "status": "ok", "sentiment": "positive", "confidence": 0.9,
    "model": None, "track": "canary", "created_at": "2026-11-23T21:05:00Z", "served_by": [],
}  # fmt: skip


@pytest.fixture
def visit() -> Visit:
    cookie = f"serinus-user={USER}; app-version=canary.7.10".encode()
    return read([(b"cookie", cookie), (b"user-agent", b"Mozilla/5.0")], "canary")


@pytest.fixture
async def upstream() -> AsyncIterator[tuple[FakeUpstream, AppService]]:
    async with (
        running() as told,
        AppService(told.url, 5.0, "app-frontend/canary") as client,
    ):
        yield told, client


async def test_a_call_carries_visitor_and_trace(upstream: Any, visit: Visit) -> None:
    told, client = upstream
    told.say(201, REVIEW, x_served_by="app-service/canary, model-service/canary")
    context = RequestContext({b"x-request-id": b"abc"})
    token = CURRENT.set(context)
    try:
        review = await client.submit(visit, ReviewSubmission("Good.", True), "key-1")
        await client.submit(visit, ReviewSubmission("Good.", True), "key-1")
    finally:
        CURRENT.reset(token)
    assert review.sentiment == "positive"
    method, path, headers, body = told.requests[0]
    assert (method, path) == ("POST", "/v1/reviews")
    assert headers["x-user"] == USER
    assert headers["x-assignment"] == "canary.7.10"
    assert headers["x-client-class"] == "browser"
    assert headers["x-caller"] == "app-frontend/canary"
    assert headers["x-request-id"] == "abc"
    assert headers["idempotency-key"] == "key-1"
    assert headers["traceparent"].startswith(f"00-{context.trace_id}-")
    assert msgspec.json.decode(body) == {"text": "Good.", "show_confidence": True}
    assert context.served_by == ["app-service/canary", "model-service/canary"]


async def test_the_other_calls(upstream: Any, visit: Visit) -> None:
    told, client = upstream
    told.say(200, REVIEW)
    assert (await client.read(visit, "r1")).id == "r1"
    told.say(
        200, {"action": "confirm", "sentiment": "positive", "recorded_at": "2026-11-23T21:05:00Z"}
    )
    assert (
        await client.give_feedback(visit, "r1", FeedbackSubmission("confirm"))
    ).action == "confirm"
    told.say(201, None)
    await client.expose(visit, "page")
    told.say(200, {"reviews": 3})
    assert (await client.erase(visit)).reviews == 3
    told.say(200, {"app": "app-service", "version": "1", "track": "canary"})
    version = await client.version()
    assert version is not None
    assert version.version == "1"
    assert [(method, path) for method, path, _, _ in told.requests] == [
        ("GET", "/v1/reviews/r1"), ("POST", "/v1/reviews/r1/feedback"),
        ("POST", "/v1/exposures"), ("DELETE", "/v1/visitors/me"), ("GET", "/version"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("header", "seconds"), [("9", 9), ("100000", 300), ("Mon, 23 Nov", 2), ("-1", 2)]
)
async def test_unavailable_says_when_to_try_again(
    upstream: Any, visit: Visit, header: str, seconds: int
) -> None:
    told, client = upstream
    told.say(503, Problem("Service unavailable", 503), retry_after=header)
    with pytest.raises(UnavailableError) as caught:
        await client.read(visit, "r1")
    assert caught.value.retry_after == seconds
    assert await client.version() is None


@pytest.mark.parametrize("status", [500, 502, 504, 429])
async def test_what_may_pass_is_unavailable(upstream: Any, visit: Visit, status: int) -> None:
    told, client = upstream
    told.say(status, b"upstream connect error")
    with pytest.raises(UnavailableError):
        await client.read(visit, "r1")


async def test_a_refusal_keeps_the_words(upstream: Any, visit: Visit) -> None:
    told, client = upstream
    told.say(422, Problem("Unprocessable", 422, detail="Too short."))
    with pytest.raises(RefusedError, match=r"Too short\.") as caught:
        await client.submit(visit, ReviewSubmission(""), "key")
    assert caught.value.status == 422


@pytest.mark.parametrize("body", [b"", b"not json", b"{}", b"\xff"])
async def test_an_answer_without_sense_is_unavailable(
    upstream: Any, visit: Visit, body: bytes
) -> None:
    told, client = upstream
    told.say(200, body)
    with pytest.raises(UnavailableError):
        await client.read(visit, "r1")


async def test_a_dropped_connection_is_tried_once_more(upstream: Any, visit: Visit) -> None:
    told, client = upstream
    told.say(201, REVIEW)
    told.drop = 1
    assert (await client.submit(visit, ReviewSubmission("Good."), "key")).id == "r1"
    told.drop = 2
    with pytest.raises(UnavailableError):
        await client.submit(visit, ReviewSubmission("Good."), "key")


async def test_nobody_there_is_unavailable(visit: Visit, unused_tcp_port: int) -> None:
    address = f"http://127.0.0.1:{unused_tcp_port}"
    async with AppService(address, 1.0, "app-frontend/canary") as client:
        with pytest.raises(UnavailableError):
            await client.read(visit, "r1")
        assert await client.version() is None
