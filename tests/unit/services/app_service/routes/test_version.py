"""GET /version, and what is true of every address."""

from __future__ import annotations

import asyncio

import pytest

from serinus.services.app_service.store.base import StoreUnavailableError

from ..conftest import Client


async def test_it_names_itself_and_its_model(sqlite_client: Client) -> None:
    answer = (await sqlite_client.ask("GET", "/version")).json()
    assert (answer["app"], answer["version"], answer["track"]) == ("app-service", "9", "canary")
    assert answer["model"] == answer["upstream"]["model"]
    assert answer["upstream"]["app"] == "model-service"


async def test_it_answers_without_the_model(sqlite_client: Client) -> None:
    sqlite_client.model.failure = "down"
    answer = await sqlite_client.ask("GET", "/version")
    assert (answer.status, answer.json()["upstream"], answer.json()["model"]) == (200, None, None)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404), ("GET", "/v1/reviews", 405), ("POST", "/version", 405),
        ("GET", "/metrics", 404), ("GET", "/v1/reviews/", 404), ("PUT", "/v1/visitors/me", 405),
    ],
)  # fmt: skip
async def test_other_addresses_are_problems(
    sqlite_client: Client, method: str, path: str, status: int
) -> None:
    answer = await sqlite_client.ask(method, path)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_store_that_refuses_is_a_problem_with_retry_after(
    sqlite_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise StoreUnavailableError("the event store is full", 30)

    for name in ("submit", "review", "expose", "erase"):
        monkeypatch.setattr(sqlite_client.store, name, refuse)
    headers = sqlite_client.visitor()
    for method, path, json in (
        ("POST", "/v1/reviews", {"text": "x"}),
        ("GET", f"/v1/reviews/{'0' * 32}", None),
        ("POST", "/v1/exposures", {"trigger": "page"}),
        ("DELETE", "/v1/visitors/me", None),
    ):
        answer = await sqlite_client.ask(method, path, json=json, headers=headers)
        assert (answer.status, answer.headers["retry-after"]) == (503, "30")
        assert "the event store is full" in answer.json()["detail"]


async def test_the_gauges_come_from_the_store_at_each_scrape(client: Client) -> None:
    review = await client.submit(client.visitor("ef" * 16))
    await client.submit(client.visitor())
    text = (await client.telemetry.scrape()).decode()
    series = 'serinus_reviews_awaiting_feedback{app="app-service",review_track="canary"'
    assert f'{series},track="canary"}} 2.0' in text
    assert 'review_track="stable",track="canary"} 0.0' in text
    assert "serinus_event_store_bytes{" in text
    path = f"/v1/reviews/{review['id']}/feedback"
    await client.ask("POST", path, json={"action": "confirm"}, headers=client.visitor("ef" * 16))
    text = (await client.telemetry.scrape()).decode()
    assert 'review_track="canary",track="canary"} 1.0' in text
    assert "ef" * 16 not in text


async def test_a_store_that_refuses_does_not_break_the_scrape(
    sqlite_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse() -> None:
        raise StoreUnavailableError("locked", 1)

    monkeypatch.setattr(sqlite_client.store, "awaiting_feedback", refuse)
    assert b"serinus_build_info" in await sqlite_client.telemetry.scrape()
    monkeypatch.setattr("serinus.services.app_service.metrics.SCRAPE_SECONDS", 0.01)
    monkeypatch.setattr(sqlite_client.store, "awaiting_feedback", asyncio.Event().wait)
    assert b"serinus_build_info" in await sqlite_client.telemetry.scrape()
