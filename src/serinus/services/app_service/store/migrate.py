"""Brings a store's schema up to date, one numbered file after the other.

Enters: an open database and the files `migrations/NNN_name.<dialect>.sql`. Leaves: the schema this
version of the service knows, recorded in the table `migrations`, or a StoreError. Called by the
stores when they open; both tracks and all replicas may do so at once.

A file that says `-- compatible` in its first line leaves the schema usable by the version before:
stable can restart beside a canary that has migrated. Any other newer schema is refused.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, Literal

from serinus.errors import StoreError

if TYPE_CHECKING:
    from psycopg import AsyncConnection

Dialect = Literal["sqlite", "postgres"]

_NAME = re.compile(r"(\d{3})_(\w+)\.(sqlite|postgres)\.sql")

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS migrations (
    version integer PRIMARY KEY,
    name text NOT NULL,
    compatible integer NOT NULL
)"""
_APPLIED: Final = "SELECT version, compatible FROM migrations ORDER BY version"
# Any number will do, as long as every version of the service uses the same.
_ADVISORY_LOCK: Final = "SELECT pg_advisory_xact_lock(7305041)"
_RAISE_OFFSET: Final = """
UPDATE positions SET tx_offset = newest.tx + 1 - pg_current_xact_id()::text::bigint
FROM (
    SELECT max(tx) AS tx FROM (
        SELECT max(tx) AS tx FROM reviews
        UNION ALL SELECT max(tx) FROM feedback
        UNION ALL SELECT max(tx) FROM exposures
    ) AS tables
) AS newest
WHERE newest.tx >= tx_offset + pg_current_xact_id()::text::bigint"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its number, name and statements."""

    version: int
    name: str
    sql: str

    @property
    def compatible(self) -> bool:
        """Whether the version before can go on working after it."""
        return self.sql.partition("\n")[0].strip() == "-- compatible"


def known(dialect: Dialect) -> list[Migration]:
    """The migrations that this version of the service carries, in order."""
    found = []
    for file in resources.files(__package__).joinpath("migrations").iterdir():
        parts = _NAME.fullmatch(file.name)
        if parts and parts[3] == dialect:
            found.append(Migration(int(parts[1]), parts[2], file.read_text(encoding="utf-8")))
    return sorted(found, key=lambda migration: migration.version)


def pending(
    migrations: list[Migration], applied: Iterable[tuple[int, int]], where: str
) -> list[Migration]:
    """The migrations still to apply; raises StoreError for a schema too new for this version."""
    newest = migrations[-1].version
    versions = dict(applied)
    breaking = [version for version, compatible in versions.items() if version > newest]
    breaking = [version for version in breaking if not versions[version]]
    if breaking:
        raise StoreError(
            f"the event store has schema {max(breaking)}, this version knows up to {newest}",
            where=where,
            remedy="Run the version that made it, or a later one; schemas are never taken back.",
        )
    return [migration for migration in migrations if migration.version not in versions]


def migrate_sqlite(connection: sqlite3.Connection, migrations: list[Migration], where: str) -> None:
    """Apply what is missing, all in one transaction that waits for other writers."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(_TABLE)
        for migration in pending(migrations, connection.execute(_APPLIED), where):
            for statement in _statements(migration.sql):
                connection.execute(statement)
            connection.execute(
                "INSERT INTO migrations VALUES (?, ?, ?)",
                (migration.version, migration.name, int(migration.compatible)),
            )
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


async def migrate_postgres(
    connection: AsyncConnection[Any], migrations: list[Migration], where: str
) -> None:
    """Apply what is missing, all in one transaction under an advisory lock."""
    async with connection.transaction():
        await connection.execute("SET LOCAL statement_timeout = 0")
        await connection.execute("SET LOCAL lock_timeout = 0")
        await connection.execute(_ADVISORY_LOCK)
        await connection.execute(_TABLE)
        applied = await (await connection.execute(_APPLIED)).fetchall()
        for migration in pending(migrations, applied, where):
            await connection.execute(migration.sql.encode())
            await connection.execute(
                "INSERT INTO migrations VALUES (%s, %s, %s)",
                (migration.version, migration.name, int(migration.compatible)),
            )
    async with connection.transaction():
        # In a transaction of its own, whose number is drawn after all that it sees: one drawn
        # before would take the rows of replicas at work for rows of another cluster.
        await connection.execute(_ADVISORY_LOCK)
        await connection.execute(_RAISE_OFFSET)


def _statements(sql: str) -> Iterator[str]:
    # sqlite3's executescript would commit the transaction we are in.
    statement = ""
    for line in sql.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
