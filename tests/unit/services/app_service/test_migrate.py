"""Schemas: applied once, in order, and refused when they are too new."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import psycopg
import pytest

from serinus.errors import StoreError
from serinus.services.app_service.store import migrate
from serinus.services.app_service.store.base import Store
from serinus.services.app_service.store.migrate import Migration

from .conftest import review

ONE = Migration(1, "one", "CREATE TABLE a (x integer);")
TWO = Migration(
    2, "two", "-- compatible\nCREATE TABLE b (y text DEFAULT ';');\nINSERT INTO b VALUES ('1');\n"
)
BROKEN = Migration(3, "three", "CREATE TABLE c (z integer);\nCREATE TABLE a (x integer);")


def connection() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None)


def tables(database: sqlite3.Connection) -> set[str]:
    return {row[0] for row in database.execute("SELECT name FROM sqlite_master")}


def test_both_databases_carry_the_same_migrations() -> None:
    names = [
        [(one.version, one.name, one.compatible) for one in migrate.known(dialect)]
        for dialect in ("sqlite", "postgres")
    ]
    assert names[0] == names[1]
    assert [version for version, _, _ in names[0]] == list(range(1, len(names[0]) + 1))


def test_only_what_is_missing_is_applied() -> None:
    database = connection()
    migrate.migrate_sqlite(database, [ONE], "here")
    migrate.migrate_sqlite(database, [ONE, TWO], "here")
    migrate.migrate_sqlite(database, [ONE, TWO], "here")
    assert tables(database) == {"migrations", "a", "b"}
    assert database.execute("SELECT count(*) FROM b").fetchone() == (1,)


def test_a_migration_that_fails_leaves_nothing_behind() -> None:
    database = connection()
    migrate.migrate_sqlite(database, [ONE], "here")
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        migrate.migrate_sqlite(database, [ONE, TWO, BROKEN], "here")
    assert tables(database) == {"migrations", "a"}


def test_a_compatible_newer_schema_is_accepted_and_another_refused() -> None:
    database = connection()
    migrate.migrate_sqlite(database, [ONE, TWO], "here")
    migrate.migrate_sqlite(database, [ONE], "here")
    database.execute("INSERT INTO migrations VALUES (3, 'three', 0)")
    with pytest.raises(StoreError, match="schema 3, this version knows up to 1") as caught:
        migrate.migrate_sqlite(database, [ONE], "here")
    assert caught.value.where == "here"
    assert not database.in_transaction


async def test_a_store_of_a_later_version_is_refused_untouched(
    store_environment: dict[str, str], store: Store, make_store: Callable[[], Store]
) -> None:
    new = review()
    await store.submit(new)
    statement = "INSERT INTO migrations VALUES (999, 'future', 0)"
    if url := store_environment.get("DATABASE_URL"):
        with psycopg.connect(url) as database:
            database.execute(statement)
    else:
        with sqlite3.connect(f"{store_environment['SERINUS_DATA_DIR']}/events.db") as database:
            database.execute(statement)
        database.close()
    with pytest.raises(StoreError, match="schema 999"):
        await make_store().open()
    assert await store.review(new.id) is not None, "who has it open goes on"
