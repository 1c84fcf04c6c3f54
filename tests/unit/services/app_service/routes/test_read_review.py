"""GET /v1/reviews/{id}: its writer only."""

from __future__ import annotations

import pytest

from ..conftest import Client


async def test_its_writer_reads_it_again(client: Client) -> None:
    headers = client.visitor()
    review = await client.submit(headers)
    for _ in range(2):
        answer = await client.ask("GET", f"/v1/reviews/{review['id']}", headers=headers)
        assert (answer.status, answer.json()) == (200, review)
        assert answer.headers["cache-control"] == "private, no-store"


async def test_its_token_opens_it(client: Client) -> None:
    review = await client.submit({})
    token = {"authorization": f"Bearer {review['feedback_token']}"}
    answer = await client.ask("GET", f"/v1/reviews/{review['id']}", headers=token)
    assert (answer.status, answer.json()) == (200, review | {"feedback_token": None})


async def test_nobody_else_learns_that_it_exists(client: Client) -> None:
    mine, other = await client.submit(client.visitor()), await client.submit({})
    path = f"/v1/reviews/{mine['id']}"
    token = {"authorization": f"Bearer {other['feedback_token']}"}
    for headers in (client.visitor(), token, client.visitor() | token):
        answer = await client.ask("GET", path, headers=headers)
        assert (answer.status, answer.json()["detail"]) == (404, "You have no review with this id.")
    answer = await client.ask("GET", path)
    assert (answer.status, answer.headers["www-authenticate"]) == (401, 'Bearer realm="feedback"')
    forged = {"authorization": f"Bearer {mine['id']}.{'A' * 43}"}
    assert (await client.ask("GET", path, headers=forged)).status == 401


@pytest.mark.parametrize("value", ["Basic eDp5", "Bearer", "Bearer ", "bearer x.y", "\xff"])
async def test_a_wrong_authorization_is_no_token(sqlite_client: Client, value: str) -> None:
    answer = await sqlite_client.ask(
        "GET", f"/v1/reviews/{'0' * 32}", headers={"authorization": value}
    )
    assert answer.status == 401


@pytest.mark.parametrize("review_id", ["0" * 32, "x", "0" * 33, "a\0b", "%00", "0" * 31 + "\n"])
async def test_what_is_no_review_is_not_found(client: Client, review_id: str) -> None:
    answer = await client.ask("GET", f"/v1/reviews/{review_id}", headers=client.visitor())
    assert answer.status == 404
