"""SQLite and PostgreSQL give the same answers to the same random requests."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support import postgres

from serinus.contracts.routing import Assignment
from serinus.services.app_service.store.base import Event, NoPredictionError, Store
from serinus.services.app_service.store.postgres import PostgresStore
from serinus.services.app_service.store.sqlite import SqliteStore

from .conftest import failed, origin, predicted, review

pytestmark = pytest.mark.postgres

ASSIGNMENTS = [
    Assignment("canary", 7, 10, "assigned"),
    Assignment("stable", 7, 25, "assigned"),
    Assignment("canary", 8, 10, "assigned"),
    Assignment("canary", None, None, "forced"),
    Assignment(None, None, None, "none"),
]


async def play(store: Store, seed: int) -> list[Any]:
    """Do random things; returns every answer and the events, without what is random in them."""
    chance = random.Random(seed)
    ids: list[str] = []
    told: list[Any] = []
    for _ in range(120):
        by = origin(
            bytes([chance.randrange(4)]) * 16,
            chance.choice(ASSIGNMENTS),
            client_class=chance.choice(["browser", "bot", "api"]),
        )
        known = chance.choice(ids) if ids else "0" * 32
        match chance.choice(["submit", "submit", "finish", "finish", "feed", "expose", "erase"]):
            case "submit":
                key = chance.choice([None, b"1" * 16, b"2" * 16])
                stored = await store.submit(review(by, idempotency=key))
                if stored.id not in ids:
                    ids.append(stored.id)
                told.append((ids.index(stored.id), stored.status, stored.arm, stored.text))
            case "finish":
                outcome = chance.choice(
                    [predicted(by, "positive"), predicted(by, "negative"), failed(by)]
                )
                found, changed = await store.finish(known, outcome)
                told.append((changed, found and (found.status, found.label, found.service_track)))
            case "feed":
                action: Any = chance.choice(["confirm", "override"])
                sentiment: Any = chance.choice(["positive", "negative"])
                try:
                    given = await store.give_feedback(known, action, sentiment, by)
                except NoPredictionError as error:
                    told.append(str(error))
                else:
                    told.append(given and (given.changed, given.first_override, given.review_track))
            case "expose" if by.assignment.enrolment == "assigned":
                told.append(await store.expose(chance.choice(["page", "result"]), by))
            case "erase" if chance.random() < 0.3:
                told.append(await store.erase(by.unit))
    told.append(await store.awaiting_feedback())
    events = (await store.events_since()).events
    told.append(sorted(Counter(event.unit for event in events).values()))
    # Rows of one transaction, an erasure, come in any order.
    told += sorted((tuple(_known(event, ids)) for event in events), key=repr)
    return told


def _known(event: Event, ids: list[str]) -> Iterator[Any]:
    yield from (
        getattr(event, name)
        for name in Event.__struct_fields__
        if name not in ("id", "unit", "cursor", "recorded_at", "review")
    )
    about = event.id if event.kind == "review" else event.review
    yield about and ids.index(about)


@pytest.mark.parametrize("seed", range(4))
async def test_the_same_requests_get_the_same_answers(
    seed: int, tmp_path: Path, postgres_server: postgres.Postgres
) -> None:
    told = []
    stores: list[Store] = [
        SqliteStore(tmp_path / "events.db"), PostgresStore(postgres_server.create())
    ]  # fmt: skip
    for store in stores:
        await store.open()
        try:
            told.append(await play(store, seed))
        finally:
            await store.close()
    assert len(told[0]) > 100
    assert told[0] == told[1]
