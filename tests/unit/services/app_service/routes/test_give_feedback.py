"""POST /v1/reviews/{id}/feedback."""

from __future__ import annotations

from typing import Any

import pytest

from ..conftest import Client


async def give(client: Client, review: Any, headers: Any, **content: Any) -> Any:
    path = f"/v1/reviews/{review['id']}/feedback"
    return await client.ask("POST", path, headers=headers, json=content)


async def test_the_latest_feedback_is_in_force(client: Client) -> None:
    headers = client.visitor()
    review = await client.submit(headers)
    override = await give(client, review, headers, action="override", sentiment="negative")
    assert override.status == 200
    assert override.json() | {"recorded_at": ""} == {
        "action": "override", "sentiment": "negative", "recorded_at": "",
    }  # fmt: skip
    same = await give(client, review, headers, action="override", sentiment="negative")
    assert same.json() == override.json()
    read = await client.ask("GET", f"/v1/reviews/{review['id']}", headers=headers)
    assert read.json()["feedback"] == override.json()
    confirm = await give(client, review, headers, action="confirm")
    assert (confirm.json()["action"], confirm.json()["sentiment"]) == ("confirm", "positive")


async def test_feedback_is_counted_once_for_each_change(client: Client) -> None:
    headers = client.visitor()
    review = await client.submit(headers)
    for action in ("override", "override", "confirm", "override"):
        extra = {"sentiment": "negative"} if action == "override" else {}
        await give(client, review, headers, action=action, **extra)
    labels = {"review_track": "canary"}
    for action, sentiment, count in (("override", "negative", 2), ("confirm", "positive", 1)):
        found = client.metric(
            "serinus_feedback_total", action=action, sentiment=sentiment, **labels
        )
        assert found == count
    assert client.metric("serinus_overrides_total", **labels) == 1


async def test_feedback_after_an_abort_is_the_canarys(client: Client) -> None:
    user = "cd" * 16
    review = await client.submit(client.visitor(user))
    later = client.visitor(user, "stable.8.0") | {"x-caller": "app-frontend/stable"}
    assert (await give(client, review, later, action="confirm")).status == 200
    events = (await client.store.events_since()).events
    (event,) = [event for event in events if event.kind == "feedback"]
    assert (event.arm, event.epoch, event.frontend_track) == ("canary", 7, "stable")


async def test_a_direct_client_gives_feedback_with_its_token(client: Client) -> None:
    review = await client.submit({})
    token = {"authorization": f"Bearer {review['feedback_token']}"}
    assert (await give(client, review, token, action="confirm")).status == 200
    assert (await give(client, review, client.visitor(), action="confirm")).status == 404
    assert (await give(client, review, {}, action="confirm")).status == 401


@pytest.mark.parametrize(
    "content",
    [
        {"action": "override"},
        {"action": "override", "sentiment": "positive"},
        {"action": "override", "sentiment": "neutral"},
        {"action": "confirm", "sentiment": "positive"},
        {"action": "ignore"},
        {},
    ],
)
async def test_feedback_without_sense_is_named(sqlite_client: Client, content: Any) -> None:
    headers = sqlite_client.visitor()
    review = await sqlite_client.submit(headers)
    answer = await give(sqlite_client, review, headers, **content)
    assert answer.status == 422
    assert len(answer.json()["errors"]) == 1


async def test_feedback_needs_a_prediction(client: Client) -> None:
    headers = client.visitor()
    client.model.failure = "The model can't be reached."
    failed = await client.ask("POST", "/v1/reviews", headers=headers, json={"text": "Soup."})
    answer = await client.ask(
        "POST",
        failed.headers["location"] + "/feedback",
        headers=headers,
        json={"action": "confirm"},
    )
    assert answer.status == 409
    assert answer.headers["content-type"] == "application/problem+json"
