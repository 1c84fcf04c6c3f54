"""POST /v1/exposures."""

from __future__ import annotations

from typing import Any

import pytest

from ..conftest import Client


async def expose(client: Client, headers: Any, trigger: str = "page") -> Any:
    return await client.ask("POST", "/v1/exposures", headers=headers, json={"trigger": trigger})


async def test_the_first_is_recorded_and_counted(client: Client) -> None:
    headers = client.visitor()
    assert [(await expose(client, headers)).status for _ in range(3)] == [201, 204, 204]
    assert (await expose(client, headers, "result")).status == 201
    assert client.metric("serinus_exposures_total", trigger="page", arm="canary") == 1
    events = (await client.store.events_since()).events
    assert [(event.trigger, event.arm) for event in events] == [
        ("page", "canary"),
        ("result", "canary"),
    ]


@pytest.mark.parametrize("assignment", ["canary", "", "canary.x.1", "canary.7.101"])
async def test_who_takes_no_part_is_not_recorded(client: Client, assignment: str) -> None:
    headers = client.visitor(assignment=assignment)
    assert (await expose(client, headers)).status == 204
    assert (await client.store.events_since()).events == []


async def test_an_exposure_needs_a_visitor(sqlite_client: Client) -> None:
    assert (await expose(sqlite_client, {"x-assignment": "canary.7.10"})).status == 401
    assert (await expose(sqlite_client, sqlite_client.visitor(), "hover")).status == 422


async def test_a_bot_is_recorded_as_one(client: Client) -> None:
    await expose(client, client.visitor() | {"x-client-class": "bot"})
    await expose(client, client.visitor() | {"x-client-class": "spaceship"})
    events = (await client.store.events_since()).events
    assert [event.client_class for event in events] == ["bot", "api"]
