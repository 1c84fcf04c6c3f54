"""The event store in one SQLite file, `events.db`.

Enters: see `base`. Leaves: rows in WAL mode, on disk before a method returns that says so. Several
processes (both tracks) may use the file at once. `writer` writes; single rows are read on the
event loop, where they cost microseconds, and scans run in a thread, each on connections of their
own.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import shutil
import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from serinus.contracts.api import Feedback, FeedbackAction, Sentiment
from serinus.contracts.routing import Trigger
from serinus.errors import StoreError
from serinus.services.app_service.store import migrate, rows
from serinus.services.app_service.store.base import (
    START,
    Event,
    Events,
    FeedbackGiven,
    NewReview,
    Origin,
    Outcome,
    Size,
    StoredReview,
    StoreUnavailableError,
)
from serinus.services.app_service.store.writer import Writer, checkpoint, unavailable

T = TypeVar("T")

_CURSOR = re.compile(r"[0-9]{1,18}")
_NEXT_POSITION: Final = "UPDATE positions SET last = last + 1 RETURNING last"

_INSERT_REVIEW: Final = """
INSERT INTO reviews (
    id, unit, idempotency, content, epoch, weight, arm, enrolment, client_class, frontend_track,
    service_track, recorded_at, status, confidence_shown, flags_digest, position
) VALUES (
    :id, :unit, :idempotency, :content, :epoch, :weight, :arm, :enrolment, coalesce(
        (SELECT client_class FROM enrolments WHERE unit = :unit AND epoch = :epoch), :client_class
    ),
    :frontend_track, :service_track, :now, 'pending', :confidence_shown, :flags_digest, :position
) ON CONFLICT (unit, idempotency) DO NOTHING RETURNING key"""
_INSERT_TEXT: Final = "INSERT INTO review_texts (review_key, text) VALUES (?, ?)"

_COLUMNS: Final = """
    id, unit, arm, epoch, weight, enrolment, frontend_track, service_track, model_track,
    recorded_at, status, failure, label, confidence, model_name, model_version, model_digest,
    feedback_action, feedback_sentiment, feedback_at, content, erased_at IS NOT NULL,
    (SELECT text FROM review_texts WHERE review_key = key)
"""
_SELECT_REVIEW: Final = "SELECT " + _COLUMNS + " FROM reviews WHERE "  # noqa: S608
_BY_ID: Final = _SELECT_REVIEW + "id = ?"
_BY_IDEMPOTENCY: Final = _SELECT_REVIEW + "unit = ? AND idempotency = ?"

_PREDICTED: Final = """
UPDATE reviews SET
    status = 'ok', failure = NULL, label = :label, confidence = :confidence,
    model_name = :model_name, model_version = :model_version, model_digest = :model_digest,
    frontend_track = :frontend_track, service_track = :service_track, model_track = :model_track,
    confidence_shown = :confidence_shown, flags_digest = :flags_digest, position = :position
WHERE id = :id AND status <> 'ok' RETURNING """
_FAILED: Final = """
UPDATE reviews SET status = 'failed', failure = :failure, position = :position
WHERE id = :id AND status <> 'ok' RETURNING """
_INTERRUPTED: Final = "SELECT id FROM reviews WHERE status = 'pending' AND recorded_at < ?"

_INSERT_FEEDBACK: Final = """
INSERT INTO feedback (
    review_key, unit, epoch, weight, arm, enrolment, client_class, frontend_track, service_track,
    recorded_at, action, sentiment, position
) SELECT key, unit, epoch, weight, arm, enrolment, client_class, :frontend_track, :service_track,
    :now, :action, :sentiment, :position
FROM reviews WHERE id = :id"""
_UPDATE_FEEDBACK: Final = """
UPDATE reviews SET feedback_action = :action, feedback_sentiment = :sentiment, feedback_at = :now,
    overridden = overridden OR :action = 'override', position = :position
WHERE id = :id"""
_OVERRIDDEN: Final = "SELECT overridden FROM reviews WHERE id = ?"

_ENROL: Final = """
INSERT INTO enrolments (unit, epoch, client_class, recorded_at)
VALUES (:unit, :epoch, :client_class, :now) ON CONFLICT DO NOTHING"""
_EXPOSED: Final = """
SELECT 1 FROM exposures WHERE unit = :unit AND epoch = :epoch AND arm = :arm
    AND "trigger" = :trigger"""
_EXPOSE: Final = """
INSERT INTO exposures (
    unit, epoch, weight, arm, enrolment, "trigger", client_class, frontend_track, service_track,
    recorded_at, position
) VALUES (
    :unit, :epoch, :weight, :arm, :enrolment, :trigger, coalesce(
        (SELECT client_class FROM enrolments WHERE unit = :unit AND epoch = :epoch), :client_class
    ), :frontend_track, :service_track,
    :now, :position
)"""

_ERASE_TEXTS: Final = """
DELETE FROM review_texts WHERE review_key IN (SELECT key FROM reviews WHERE unit = ?)"""
_ERASE: Final = {
    "reviews": """
UPDATE reviews SET unit = :random, idempotency = NULL, content = NULL, erased_at = :now,
    position = :position WHERE key = :key""",
    "feedback": "UPDATE feedback SET unit = :random, position = :position WHERE key = :key",
    "exposures": "UPDATE exposures SET unit = :random, position = :position WHERE key = :key",
}
_ERASE_ENROLMENTS: Final = "UPDATE enrolments SET unit = ? WHERE unit = ?"

_AWAITING: Final = """
SELECT service_track, count(*) FROM reviews
WHERE status = 'ok' AND feedback_action IS NULL AND erased_at IS NULL GROUP BY service_track"""

_EVENTS: Final[dict[rows.EventKind, str]] = {
    "review": """
SELECT position, id, recorded_at, unit, epoch, weight, arm, enrolment, client_class, frontend_track,
    service_track, model_track, status, label, confidence,
    model_version, model_digest, confidence_shown, flags_digest, failure
FROM reviews WHERE position > ? ORDER BY position LIMIT ?""",
    "feedback": """
SELECT f.position, f.key, f.recorded_at, f.unit, f.epoch, f.weight, f.arm, f.enrolment,
    f.client_class, f.frontend_track, f.service_track, r.id, f.action, f.sentiment
FROM feedback f JOIN reviews r ON r.key = f.review_key
WHERE f.position > ? ORDER BY f.position LIMIT ?""",
    "exposure": """
SELECT position, key, recorded_at, unit, epoch, weight, arm, enrolment, client_class,
    frontend_track, service_track, "trigger"
FROM exposures WHERE position > ? ORDER BY position LIMIT ?""",
}


class SqliteStore:
    """The event store of one volume; `path` is the database file, whose folder is made."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = Writer(self._connect)
        self._reader: sqlite3.Connection | None = None

    def _connect(self) -> sqlite3.Connection:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(
                self._path, isolation_level=None, timeout=5.0, check_same_thread=False
            )
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            # Erased text must not stay readable in freed pages of the file.
            connection.execute("PRAGMA secure_delete = ON")
            migrate.migrate_sqlite(connection, migrate.known("sqlite"), str(self._path))
            connection.execute("PRAGMA busy_timeout = 0")
            # A commit on the event loop must not find itself writing the whole log back.
            connection.execute("PRAGMA wal_autocheckpoint = 0")
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                f"the event store cannot be opened: {error}",
                where=str(self._path),
                remedy="Check that SERINUS_DATA_DIR is a writable directory on a local disk.",
            ) from error
        return connection

    def _open_reader(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self._path.absolute().as_uri()}?mode=ro",
            uri=True, isolation_level=None, timeout=1.0, check_same_thread=False,
        )  # fmt: skip
        connection.execute("PRAGMA query_only = ON")
        return connection

    async def open(self) -> None:
        """See `base.Store.open`."""
        await self._writer.start()
        self._reader = self._open_reader()

    async def close(self) -> None:
        """See `base.Store.close`."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        await self._writer.stop()

    async def check(self) -> str | None:
        """See `base.Store.check`."""
        if self._reader is None or not self._writer.alive:
            return "the event store is not open"
        if not self._path.exists():
            return f"{self._path} is gone"
        return None

    async def submit(self, review: NewReview) -> StoredReview:
        """See `base.Store.submit`."""
        parameters = rows.review_parameters(review)

        def job(connection: sqlite3.Connection) -> StoredReview:
            key = _change(connection, _INSERT_REVIEW, parameters)
            if key is None:
                found = _select(connection, _BY_IDEMPOTENCY, review.origin.unit, review.idempotency)
                assert found is not None  # noqa: S101  # it was in the way of ours
                return found
            connection.execute(_INSERT_TEXT, (key[0], review.text))
            return rows.pending_review(review, _time(parameters["now"]))

        # What makes this one durable is `finish`, before anything is answered.
        return await self._writer.run(job, durable=False)

    async def finish(self, review_id: str, outcome: Outcome) -> tuple[StoredReview | None, bool]:
        """See `base.Store.finish`."""
        parameters = rows.outcome_parameters(review_id, outcome)
        statement = (_FAILED if outcome.label is None else _PREDICTED) + _COLUMNS

        def job(connection: sqlite3.Connection) -> tuple[StoredReview | None, bool]:
            row = _change(connection, statement, parameters)
            if row is not None:
                return _review(row), True
            return _select(connection, _BY_ID, review_id), False

        return await self._writer.run(job)

    async def review(self, review_id: str) -> StoredReview | None:
        """See `base.Store.review`."""
        return self._read(lambda reader: _select(reader, _BY_ID, review_id))

    async def give_feedback(
        self, review_id: str, action: FeedbackAction, sentiment: Sentiment | None, origin: Origin
    ) -> FeedbackGiven | None:
        """See `base.Store.give_feedback`."""

        def job(connection: sqlite3.Connection) -> FeedbackGiven | None:
            review = _select(connection, _BY_ID, review_id)
            if review is None:
                return None
            meant = rows.feedback_meant(review, action, sentiment)
            known = rows.feedback_in_force(review)
            if known and (known.action, known.sentiment) == (action, meant):
                return FeedbackGiven(known, review.service_track, False, False)
            before = connection.execute(_OVERRIDDEN, (review_id,)).fetchone()[0]
            parameters: dict[str, Any] = {
                "id": review_id, "action": action, "sentiment": meant,
                "frontend_track": origin.frontend_track, "service_track": origin.service_track,
            }  # fmt: skip
            _change(connection, _INSERT_FEEDBACK, parameters)
            _change(connection, _UPDATE_FEEDBACK, parameters)
            feedback = Feedback(action, meant, _time(parameters["now"]))
            first = action == "override" and not before
            return FeedbackGiven(feedback, review.service_track, True, first)

        return await self._writer.run(job)

    async def expose(self, trigger: Trigger, origin: Origin) -> bool:
        """See `base.Store.expose`."""
        parameters = rows.origin_parameters(origin) | {"trigger": trigger}
        # Most exposures are repeated ones, and those need no turn with the writer.
        if self._read(lambda reader: reader.execute(_EXPOSED, parameters).fetchone()):
            return False

        def job(connection: sqlite3.Connection) -> bool:
            if connection.execute(_EXPOSED, parameters).fetchone():
                return False
            connection.execute(_ENROL, parameters | {"now": _now()})
            _change(connection, _EXPOSE, parameters)
            return True

        return await self._writer.run(job)

    async def erase(self, unit: bytes) -> int:
        """See `base.Store.erase`."""

        def job(connection: sqlite3.Connection) -> int:
            random = secrets.token_bytes(len(unit))
            connection.execute(_ERASE_TEXTS, (unit,))
            counts = {}
            for table, statement in _ERASE.items():
                # The table names are ours.
                query = f"SELECT key FROM {table} WHERE unit = ? ORDER BY key"  # noqa: S608
                keys = connection.execute(query, (unit,)).fetchall()
                for (key,) in keys:
                    _change(connection, statement, {"key": key, "random": random})
                counts[table] = len(keys)
            connection.execute(_ERASE_ENROLMENTS, (random, unit))
            return counts["reviews"]

        reviews = await self._writer.run(job)
        # The log still holds the text; emptied now or, with readers in the way, a little later.
        await self._writer.run_alone(lambda writing: checkpoint(writing, "TRUNCATE"))
        return reviews

    async def interrupt(self, older_than_seconds: float) -> int:
        """See `base.Store.interrupt`."""
        before = _now() - int(older_than_seconds * 1_000_000)
        if not self._read(lambda reader: reader.execute(_INTERRUPTED, (before,)).fetchone()):
            return 0

        def job(connection: sqlite3.Connection) -> int:
            found = connection.execute(_INTERRUPTED, (before,)).fetchall()
            for (review_id,) in found:
                _change(connection, _FAILED + "key", {"id": review_id, "failure": rows.INTERRUPTED})
            return len(found)

        return await self._writer.run(job)

    async def awaiting_feedback(self) -> dict[str, int]:
        """See `base.Store.awaiting_feedback`."""
        return await self._scan(lambda reader: dict(reader.execute(_AWAITING).fetchall()))

    async def size(self) -> Size:
        """See `base.Store.size`; the capacity is what is used plus what the volume has free."""
        names = (self._path.name, f"{self._path.name}-wal", f"{self._path.name}-shm")
        files = [self._path.with_name(name) for name in names]
        used = sum(file.stat().st_size for file in files if file.exists())
        return Size(used, used + shutil.disk_usage(self._path.parent).free)

    async def events_since(self, cursor: str = START, limit: int = 1_000) -> Events:
        """See `base.Store.events_since`; a cursor is the last position seen."""
        if not _CURSOR.fullmatch(cursor or "0"):
            raise ValueError(f"not a cursor of this store: {cursor!r}")
        after = int(cursor or 0)

        def scan(reader: sqlite3.Connection) -> Events:
            found: list[tuple[int, Event]] = []
            reader.execute("BEGIN")
            for kind, query in _EVENTS.items():
                for position, key, recorded_at, *columns in reader.execute(query, (after, limit)):
                    made = rows.event(kind, key, str(position), _time(recorded_at), columns)
                    found.append((position, made))
            reader.execute("COMMIT")
            found.sort(key=lambda item: item[0])
            events = [made for _, made in found[:limit]]
            return Events(events, events[-1].cursor if events else cursor)

        return await self._scan(scan)

    def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        if self._reader is None:
            raise StoreUnavailableError("the event store is closed", 5)
        try:
            return query(self._reader)
        except sqlite3.Error as error:
            raise unavailable(error) or error from error

    async def _scan(self, query: Callable[[sqlite3.Connection], T]) -> T:
        def run() -> T:
            reader = self._open_reader()
            try:
                return query(reader)
            finally:
                reader.close()

        try:
            return await asyncio.to_thread(run)
        except sqlite3.Error as error:
            raise unavailable(error) or error from error


def _now() -> int:
    # The database is a library in this process, so its clock is the machine's.
    return time.time_ns() // 1_000


def _time(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)


def _change(connection: sqlite3.Connection, statement: str, parameters: dict[str, Any]) -> Any:
    """Write one row at the next position, now; returns what the statement returns."""
    parameters["now"] = _now()
    parameters["position"] = connection.execute(_NEXT_POSITION).fetchone()[0]
    return connection.execute(statement, parameters).fetchone()


def _select(connection: sqlite3.Connection, query: str, *values: Any) -> StoredReview | None:
    row = connection.execute(query, values).fetchone()
    return None if row is None else _review(row)


def _review(row: tuple[Any, ...]) -> StoredReview:
    columns = list(row)
    columns[9] = _time(columns[9])
    columns[19] = columns[19] and _time(columns[19])
    columns[21] = bool(columns[21])
    return StoredReview(*columns)
