"""What only PostgreSQL can get wrong: late commits, lost connections, restored dumps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import psycopg
import pytest
from tests.support import postgres

from serinus.errors import StoreError
from serinus.services.app_service.store.base import StoreUnavailableError
from serinus.services.app_service.store.postgres import PostgresStore

from .conftest import origin, predicted, review

pytestmark = pytest.mark.postgres


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(url)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
def url(postgres_server: postgres.Postgres) -> str:
    return postgres_server.create()


@pytest.fixture
def own_server() -> Iterator[postgres.Postgres]:
    """A server that the test may stop."""
    with postgres.running() as server:
        yield server


async def test_a_transaction_that_commits_late_is_not_skipped(url: str) -> None:
    async with opened(url) as store:
        await store.expose("page", origin())
        first = await store.events_since()
        late = await psycopg.AsyncConnection.connect(url)
        await late.execute(
            "INSERT INTO exposures (unit, epoch, weight, arm, enrolment, trigger, client_class,"
            " service_track) VALUES (%s, 7, 10, 'canary', 'assigned', 'page', 'browser', 'canary')",
            (b"late" * 4,),
        )
        early = origin()
        await store.expose("page", early)
        held = await store.events_since(first.cursor)
        assert held.events == [], "nothing behind an open transaction is read"
        await late.commit()
        await late.close()
        found = await store.events_since(held.cursor)
        assert [event.unit for event in found.events] == [b"late" * 4, early.unit]


async def test_a_transaction_that_is_rolled_back_holds_up_nobody(url: str) -> None:
    async with opened(url) as store:
        broken = await psycopg.AsyncConnection.connect(url)
        await broken.execute("UPDATE positions SET tx_offset = tx_offset")
        await broken.rollback()
        await broken.close()
        await store.expose("page", origin())
        assert len((await store.events_since()).events) == 1


async def test_cut_connections_are_replaced_without_an_error(url: str) -> None:
    async with opened(url) as store:
        new = review()
        await asyncio.gather(*(store.review(new.id) for _ in range(8)))
        with psycopg.connect(url, autocommit=True) as killer:
            killer.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        await store.submit(new)
        stored, changed = await store.finish(new.id, predicted(new.origin))
        assert changed
        assert stored is not None
        assert len((await store.events_since()).events) == 1


async def test_a_stopped_server_refuses_and_a_started_one_serves(
    own_server: postgres.Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serinus.services.app_service.store.pool.POOL_SECONDS", 0.5)
    async with opened(own_server.create()) as store:
        new = review()
        await store.submit(new)
        own_server.stop()
        with pytest.raises(StoreUnavailableError) as caught:
            await store.review(new.id)
        assert caught.value.retry_after > 0
        assert await store.check() is not None
        own_server.start()
        async with asyncio.timeout(30):
            # The pool connects again by itself and tells nobody.
            while await store.check() is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert await store.review(new.id) is not None


async def test_positions_go_on_in_a_cluster_that_starts_over(url: str) -> None:
    async with opened(url) as store:
        await store.expose("page", origin())
        with psycopg.connect(url, autocommit=True) as connection:
            # As after a dump from a cluster that was a million transactions ahead.
            connection.execute("UPDATE exposures SET tx = tx + 1000000")
        before = await store.events_since()
    async with opened(url) as store:
        found = await store.events_since()
        assert len(found.events) == 1
        by = origin()
        await store.expose("page", by)
        (event,) = (await store.events_since(found.cursor)).events
        assert event.unit == by.unit
    assert before.events == [], "a row from the future is not read"


async def test_stores_that_open_at_once_migrate_once(url: str) -> None:
    stores = [PostgresStore(url) for _ in range(5)]
    await asyncio.gather(*(store.open() for store in stores))
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT version FROM migrations").fetchall() == [(1,)]
    await asyncio.gather(*(store.close() for store in stores))


async def test_erasure_and_feedback_at_once_leave_no_trace(url: str) -> None:
    async with opened(url) as store:
        for _ in range(10):
            new = review()
            await store.submit(new)
            await store.finish(new.id, predicted(new.origin))
            await asyncio.gather(
                store.erase(new.origin.unit),
                store.give_feedback(new.id, "override", "negative", new.origin),
            )
            assert new.origin.unit not in {
                event.unit for event in (await store.events_since(limit=10_000)).events
            }


async def test_an_unreachable_database_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("serinus.services.app_service.store.pool.OPEN_SECONDS", 0.0)
    monkeypatch.setattr("serinus.services.app_service.store.pool.POOL_SECONDS", 0.3)
    store = PostgresStore("postgresql://me:hunter2@127.0.0.1:1/reviews")
    with pytest.raises(StoreError) as caught:
        await store.open()
    assert "127.0.0.1/reviews" in str(caught.value)
    assert "hunter2" not in str(caught.value) + caplog.text
