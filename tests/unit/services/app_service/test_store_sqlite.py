"""What only SQLite can get wrong: other writers, full disks, traces of erased text."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from serinus.errors import StoreError
from serinus.services.app_service.store import writer
from serinus.services.app_service.store.base import StoreUnavailableError
from serinus.services.app_service.store.sqlite import SqliteStore

from .conftest import origin, predicted, review


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "events.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    made = SqliteStore(path)
    await made.open()
    yield made
    await made.close()


async def test_another_writer_is_waited_for_and_not_for_ever(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "LOCK_SECONDS", 0.1)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    new = review()
    with pytest.raises(StoreUnavailableError, match="locked by another process") as caught:
        await store.submit(new)
    assert caught.value.retry_after == 1
    assert await store.review(new.id) is None, "reading goes on meanwhile"
    monkeypatch.setattr(writer, "LOCK_SECONDS", 5.0)
    waiting = asyncio.create_task(store.submit(new))
    await asyncio.sleep(0)
    other.execute("COMMIT")
    other.close()
    assert (await waiting).id == new.id


async def test_a_full_disk_refuses_and_keeps_what_was_there(store: SqliteStore, path: Path) -> None:
    kept = review()
    await store.submit(kept)

    def limit(connection: sqlite3.Connection) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")

    await store._writer.run_alone(limit)
    large = [review(text="x" * 5_000) for _ in range(20)]
    answers = await asyncio.gather(*(store.submit(one) for one in large), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, StoreUnavailableError)]
    assert refused
    assert all(answer.reason == "the event store is full" for answer in refused)
    assert all(answer.retry_after == 30 for answer in refused)
    for one, answer in zip(large, answers, strict=True):
        found = await store.review(one.id)
        assert (found is None) == isinstance(answer, StoreUnavailableError)
    assert await store.review(kept.id) is not None
    await store._writer.run_alone(
        lambda connection: connection.execute("PRAGMA max_page_count = 1000000").fetchone()
    )
    assert (await store.submit(again := review())).id == again.id, "it recovers by itself"


async def test_erased_text_is_in_no_file(store: SqliteStore, path: Path) -> None:
    secret = "The waiter is called Ignatius Quillfeather."
    new = review(text=secret)
    await store.submit(new)
    await store.finish(new.id, predicted(new.origin))
    files = [path, path.with_name("events.db-wal")]
    assert any(secret.encode() in file.read_bytes() for file in files)
    await store.erase(new.origin.unit)
    assert not any(secret.encode() in file.read_bytes() for file in files)
    assert not any(new.origin.unit in file.read_bytes() for file in files)


async def test_many_requests_share_a_commit(store: SqliteStore) -> None:
    reviews = [review() for _ in range(100)]
    statements: list[str] = []
    await store._writer.run_alone(
        lambda connection: connection.set_trace_callback(statements.append)
    )
    await asyncio.gather(*(store.submit(one) for one in reviews))
    commits = statements.count("COMMIT")
    assert 1 <= commits <= 20
    assert len((await store.events_since()).events) == 100


async def test_a_job_that_fails_takes_back_only_its_own_work(store: SqliteStore) -> None:
    def wrong(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM review_texts")
        raise LookupError("mine")

    new = review()
    answers = await asyncio.gather(
        store.submit(new), store._writer.run(wrong), return_exceptions=True
    )
    assert isinstance(answers[1], LookupError)
    stored = await store.review(new.id)
    assert stored is not None
    assert stored.text == new.text


async def test_what_is_answered_is_synced_and_what_only_waits_is_not(store: SqliteStore) -> None:
    statements: list[str] = []
    await store._writer.run_alone(
        lambda connection: connection.set_trace_callback(statements.append)
    )
    new = review()
    await store.submit(new)
    assert "COMMIT" in statements
    assert "PRAGMA synchronous = FULL" not in statements
    await store.finish(new.id, predicted(new.origin))
    assert "PRAGMA synchronous = FULL" in statements


async def test_a_closed_store_refuses(path: Path) -> None:
    store = SqliteStore(path)
    assert await store.check() == "the event store is not open"
    await store.open()
    await store.close()
    with pytest.raises(StoreUnavailableError, match="closed"):
        await store.submit(review())
    with pytest.raises(StoreUnavailableError, match="closed"):
        await store.review("0" * 32)


async def test_closing_finishes_what_was_started(path: Path) -> None:
    store = SqliteStore(path)
    await store.open()
    reviews = [review() for _ in range(30)]
    waiting = [asyncio.create_task(store.submit(one)) for one in reviews]
    await asyncio.sleep(0)
    await store.close()
    assert len(await asyncio.gather(*waiting)) == 30


@pytest.mark.parametrize("content", [b"not a database at all, but text" * 40, None])
def test_what_is_no_database_is_named(path: Path, content: bytes | None) -> None:
    path.parent.mkdir()
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(StoreError) as caught:
        asyncio.run(SqliteStore(path).open())
    assert str(path) in str(caught.value)
    assert "SERINUS_DATA_DIR" in str(caught.value)


async def test_a_database_that_vanishes_is_not_ready(store: SqliteStore, path: Path) -> None:
    assert await store.check() is None
    path.unlink()  # noqa: ASYNC240  # nothing else runs
    assert await store.check() == f"{path} is gone"


async def test_an_exposure_known_already_does_not_wait_for_the_writer(
    store: SqliteStore, path: Path
) -> None:
    by = origin()
    assert await store.expose("page", by)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    async with asyncio.timeout(1):
        assert not await store.expose("page", by)
    other.close()
