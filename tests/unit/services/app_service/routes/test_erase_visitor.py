"""DELETE /v1/visitors/me."""

from __future__ import annotations

from typing import Any

from ..conftest import Client


async def erase(client: Client, headers: Any) -> Any:
    return await client.ask("DELETE", "/v1/visitors/me", headers=headers)


async def test_a_visitor_is_forgotten(client: Client) -> None:
    mine, other = client.visitor(), client.visitor()
    reviews = [await client.submit(mine, f"Soup {number}") for number in range(3)]
    stays = await client.submit(other)
    answer = await erase(client, mine)
    assert (answer.status, answer.json()) == (200, {"reviews": 3})
    for review in reviews:
        read = await client.ask("GET", f"/v1/reviews/{review['id']}", headers=mine)
        assert read.status == 404
    read = await client.ask("GET", f"/v1/reviews/{stays['id']}", headers=other)
    assert read.status == 200
    assert (await erase(client, mine)).json() == {"reviews": 0}


async def test_a_direct_client_erases_the_review_of_its_token(client: Client) -> None:
    first, second = await client.submit({}), await client.submit({})
    token = {"authorization": f"Bearer {first['feedback_token']}"}
    assert (await erase(client, token)).json() == {"reviews": 1}
    assert (await erase(client, token)).json() == {"reviews": 0}
    gone = await client.ask("GET", f"/v1/reviews/{first['id']}", headers=token)
    assert gone.status == 404
    token = {"authorization": f"Bearer {second['feedback_token']}"}
    kept = await client.ask("GET", f"/v1/reviews/{second['id']}", headers=token)
    assert kept.status == 200


async def test_erasure_needs_credentials(sqlite_client: Client) -> None:
    assert (await erase(sqlite_client, {})).status == 401
