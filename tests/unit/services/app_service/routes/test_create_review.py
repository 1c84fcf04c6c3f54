"""POST /v1/reviews."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import pytest

from ..conftest import MODEL, Client

USER = "ab" * 16


async def post(client: Client, headers: Any = (), **options: Any) -> Any:
    return await client.ask("POST", "/v1/reviews", headers=headers, **options)


async def test_a_visitor_gets_the_prediction(client: Client) -> None:
    trace = {"x-request-id": "r-1", "traceparent": f"00-{'1' * 32}-{'2' * 16}-01"}
    answer = await post(
        client,
        client.visitor(USER) | trace,
        json={"text": "  Good soup.\n", "show_confidence": True},
    )
    assert answer.status == 201
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["x-served-by"] == "app-service/canary, model-service/canary"
    review = answer.json()
    assert answer.headers["location"] == f"/v1/reviews/{review['id']}"
    assert review.pop("created_at").endswith("Z")
    assert review == {
        "id": review["id"], "text": "Good soup.", "status": "ok", "sentiment": "positive",
        "confidence": 0.9, "track": "canary", "failure": None, "feedback": None,
        "feedback_token": None,
        "model": {"name": MODEL.name, "version": MODEL.version, "digest": MODEL.digest},
        "served_by": ["app-frontend/canary", "app-service/canary", "model-service/canary"],
    }  # fmt: skip
    ((text, headers),) = client.model.calls
    assert text == "Good soup."
    assert headers["x-user"] == USER
    assert headers["x-caller"] == "app-service/canary"
    assert headers["x-assignment"] == "canary.7.10"
    assert headers["x-request-id"] == "r-1"
    assert headers["traceparent"].startswith(f"00-{'1' * 32}-")
    assert headers["traceparent"] != trace["traceparent"]
    assert client.metric("serinus_reviews_total", status="ok", assignment="assigned") == 1


async def test_the_store_knows_the_unit_and_never_the_visitor(client: Client) -> None:
    await client.submit(client.visitor(USER))
    (event,) = (await client.store.events_since()).events
    assert event.unit == client.identity.unit(USER)
    assert (event.arm, event.epoch, event.weight, event.enrolment) == ("canary", 7, 10, "assigned")
    assert (event.client_class, event.frontend_track, event.model_track) == (
        "browser", "canary", "canary",
    )  # fmt: skip
    assert USER not in repr(event)


async def test_the_review_is_pending_while_the_model_is_asked(client: Client) -> None:
    seen = []

    async def look() -> None:
        seen.extend(event.status for event in (await client.store.events_since()).events)

    client.model.during = look
    await client.submit(client.visitor())
    assert seen == ["pending"]


async def test_a_direct_client_gets_a_token(client: Client) -> None:
    review = await client.submit({})
    assert client.identity.review_of(review["feedback_token"]) == review["id"]
    (event,) = (await client.store.events_since()).events
    assert (event.enrolment, event.client_class, event.frontend_track) == ("none", "api", None)
    assert "x-user" not in client.model.calls[0][1]


@pytest.mark.parametrize("anonymous", [True, False])
async def test_a_repeated_submission_is_one_review(client: Client, anonymous: bool) -> None:
    headers = {} if anonymous else client.visitor()
    headers["idempotency-key"] = secrets.token_hex(16)
    first = await client.submit(headers)
    again = await client.submit(headers, " Good soup. ")
    assert again == first
    assert len(client.model.calls) == 1
    assert client.metric(
        "serinus_reviews_total", status="ok", assignment="none" if anonymous else "assigned"
    ) == 1  # fmt: skip


async def test_a_key_with_other_content_is_refused(client: Client) -> None:
    headers = client.visitor() | {"idempotency-key": "k"}
    await client.submit(headers)
    answer = await post(client, headers, json={"text": "Bad soup."})
    assert (answer.status, answer.json()["errors"][0]["field"]) == (422, "text")
    someone = client.visitor() | {"idempotency-key": "k"}
    assert (await post(client, someone, json={"text": "Bad soup."})).status == 201


async def test_the_same_submission_at_once_is_one_review(client: Client) -> None:
    headers = client.visitor() | {"idempotency-key": "k"}
    answers = await asyncio.gather(*(client.submit(headers) for _ in range(5)))
    assert len({answer["id"] for answer in answers}) == 1
    assert client.metric("serinus_reviews_total", status="ok", assignment="assigned") == 1


async def test_a_failed_prediction_is_kept_and_can_be_tried_again(client: Client) -> None:
    headers = client.visitor() | {"idempotency-key": "k"}
    client.model.failure = "The model can't be reached."
    for _ in range(2):
        answer = await post(client, headers, json={"text": "Good soup."})
        assert answer.status == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["retry-after"] == "1"
        assert "The model can't be reached." in answer.json()["detail"]
    kept = await client.ask("GET", answer.headers["location"], headers=headers)
    assert (kept.json()["status"], kept.json()["failure"], kept.json()["text"]) == (
        "failed", "The model can't be reached.", "Good soup.",
    )  # fmt: skip
    assert client.metric("serinus_reviews_total", status="failed", assignment="assigned") == 1
    client.model.failure = None
    review = await client.submit(headers)
    assert (review["status"], review["failure"]) == ("ok", None)
    assert answer.headers["location"] == f"/v1/reviews/{review['id']}"


async def test_a_failure_beside_a_success_is_a_success(client: Client) -> None:
    headers = client.visitor() | {"idempotency-key": "k"}

    async def other_attempt() -> None:
        client.model.during = None
        await client.submit(headers)
        client.model.failure = "too late"

    client.model.during = other_attempt
    assert (await client.submit(headers))["status"] == "ok"


async def test_an_erasure_while_the_model_is_asked_stays_one(client: Client) -> None:
    headers = client.visitor()

    async def erase() -> None:
        await client.ask("DELETE", "/v1/visitors/me", headers=headers)

    client.model.during = erase
    review = await client.submit(headers)
    assert review["text"] is None
    assert (await client.ask("GET", f"/v1/reviews/{review['id']}", headers=headers)).status == 404


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "x" * 5_000,
        " " * 100 + "x",
        "😀" * 5_000,
        "\u202e \u0301",
        "a\tb\r\nc",
        "'; DROP TABLE",
    ],
)
async def test_any_text_of_up_to_5000_characters_is_kept(client: Client, text: str) -> None:
    headers = client.visitor()
    review = await client.submit(headers, text)
    read = await client.ask("GET", f"/v1/reviews/{review['id']}", headers=headers)
    assert read.json()["text"] == text.strip()


@pytest.mark.parametrize("text", ["", " \n\t　", "x" * 5_001, "a\0b"])
async def test_a_wrong_text_is_named(sqlite_client: Client, text: str) -> None:
    answer = await post(sqlite_client, json={"text": text})
    assert answer.status == 422
    assert answer.json()["errors"][0]["field"] == "text"
    assert (await sqlite_client.store.events_since()).events == []


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b'{"text": "x"', "application/json", 400),
        (b'{"text": "\xff"}', "application/json", 400),
        (b'{"text": "\xed\xa0\x80"}', "application/json", 400),
        (b'{"text": "\\ud800"}', "application/json", 400),
        (b"", "application/json", 400),
        (b"text=x", "application/x-www-form-urlencoded", 415),
        (b'{"text": "x"}', "", 415),
        (b'{"text": "' + b"x" * 64_000 + b'"}', "application/json", 413),
        (b'{"text": 1}', "application/json", 422),
        (b'{"text": "x", "colour": 1}', "application/json", 422),
        (b"[]", "application/json", 422),
        (b"null", "application/json", 422),
    ],
)
async def test_a_wrong_body_is_a_problem(
    sqlite_client: Client, body: bytes, kind: str, status: int
) -> None:
    headers = {"content-type": kind} if kind else {}
    answer = await post(sqlite_client, headers, body=body)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["instance"]) == (status, "/v1/reviews")
    assert problem["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    "headers",
    [
        {"x-user": "ada"},
        {"x-user": USER.upper()},
        {"x-user": USER, "idempotency-key": "k" * 201},
        {"x-user": USER, "idempotency-key": "a b"},
        {"x-user": USER, "idempotency-key": ""},
        {"idempotency-key": "short"},
    ],
)
async def test_a_malformed_header_is_a_problem(
    sqlite_client: Client, headers: dict[str, str]
) -> None:
    assert (await post(sqlite_client, headers, json={"text": "x"})).status == 400


async def test_a_mixed_track_is_counted(sqlite_client: Client) -> None:
    await sqlite_client.submit(sqlite_client.visitor() | {"x-caller": "app-frontend/stable"})
    assert sqlite_client.metric("serinus_mixed_track_requests_total", caller="app-frontend") == 1
    (event,) = (await sqlite_client.store.events_since()).events
    assert (event.frontend_track, event.service_track) == ("stable", "canary")


@pytest.mark.parametrize(
    ("headers", "enrolment", "arm"),
    [
        ({"x-app-version": "canary"}, "forced", "canary"),
        ({"x-app-version": "canary.7.10"}, "none", None),
        ({"x-app-version": "Canary!"}, "none", None),
        ({"x-app-version": "stable", "x-assignment": "canary.7.10"}, "assigned", "canary"),
    ],
)
async def test_a_client_that_names_its_track_is_forced(
    sqlite_client: Client, headers: dict[str, str], enrolment: str, arm: str | None
) -> None:
    await sqlite_client.submit(headers)
    (event,) = (await sqlite_client.store.events_since()).events
    assert (event.enrolment, event.arm) == (enrolment, arm)
    assert sqlite_client.metric("serinus_reviews_total", status="ok", assignment=enrolment) == 1


@pytest.mark.parametrize(
    "caller", ["evil/stable", "app-frontend/", "app-frontend/STABLE", "x" * 999]
)
async def test_a_claimed_caller_becomes_no_series(sqlite_client: Client, caller: str) -> None:
    await sqlite_client.ask("BREW", "/version", headers={"x-caller": caller})
    text = sqlite_client.telemetry.exposition().decode()
    assert "BREW" not in text
    assert 'method="other"' in text
    assert "serinus_mixed_track_requests_total{" not in text
