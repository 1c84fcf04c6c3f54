"""The event store in PostgreSQL, for several replicas.

Enters: see `base`. Leaves: rows, committed before a method returns. Each method is one statement
or one short transaction on a pooled connection. Needs PostgreSQL 13 or later.

Every method may be repeated after a lost connection, which `pool` does once: reviews come with
their id, predictions and feedback are the same the second time, and exposures are unique.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from typing import Any, Final

from serinus.contracts.api import Feedback, FeedbackAction, Sentiment
from serinus.contracts.routing import Trigger
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
from serinus.services.app_service.store.pool import Connection, Pool

CHECK_SECONDS: Final = 2.0
_CURSOR = re.compile(r"([0-9]{1,18})-([0-9]{1,18})")

_INSERT_REVIEW: Final = """
WITH review AS (
    INSERT INTO reviews (
        id, unit, idempotency, content, epoch, weight, arm, enrolment, client_class,
        frontend_track, service_track, status, confidence_shown, flags_digest
    ) VALUES (
        %(id)s, %(unit)s, %(idempotency)s, %(content)s, %(epoch)s, %(weight)s, %(arm)s,
        %(enrolment)s, coalesce(
            (SELECT client_class FROM enrolments WHERE unit = %(unit)s AND epoch = %(epoch)s),
            %(client_class)s
        ), %(frontend_track)s, %(service_track)s, 'pending', %(confidence_shown)s,
        %(flags_digest)s
    ) ON CONFLICT DO NOTHING RETURNING *
), kept AS (
    INSERT INTO review_texts (review_key, text) SELECT key, %(text)s FROM review RETURNING text
)
SELECT id, unit, arm, epoch, weight, enrolment, frontend_track, service_track, model_track,
    recorded_at, status, failure, label, confidence, model_name, model_version, model_digest,
    feedback_action, feedback_sentiment, feedback_at, content, false, text
FROM review, kept"""

_COLUMNS: Final = """
    id, unit, arm, epoch, weight, enrolment, frontend_track, service_track, model_track,
    recorded_at, status, failure, label, confidence, model_name, model_version, model_digest,
    feedback_action, feedback_sentiment, feedback_at, content, erased_at IS NOT NULL,
    (SELECT text FROM review_texts WHERE review_key = key)
"""
_SELECT_REVIEW: Final = "SELECT " + _COLUMNS + " FROM reviews WHERE "  # noqa: S608
_BY_ID: Final = _SELECT_REVIEW + "id = %s"
_BY_ID_LOCKED: Final = _BY_ID + " FOR UPDATE OF reviews"
_BY_KEY: Final = (
    _SELECT_REVIEW + "id = %(id)s OR (unit = %(unit)s AND idempotency = %(idempotency)s)"
)

_PREDICTED: Final = """
UPDATE reviews SET
    status = 'ok', failure = NULL, label = %(label)s, confidence = %(confidence)s,
    model_name = %(model_name)s, model_version = %(model_version)s,
    model_digest = %(model_digest)s, frontend_track = %(frontend_track)s,
    service_track = %(service_track)s, model_track = %(model_track)s,
    confidence_shown = %(confidence_shown)s, flags_digest = %(flags_digest)s,
    tx = position_tx(), seq = nextval('position_seq')
WHERE id = %(id)s AND status <> 'ok' RETURNING """
_FAILED: Final = """
UPDATE reviews SET status = 'failed', failure = %(failure)s,
    tx = position_tx(), seq = nextval('position_seq')
WHERE id = %(id)s AND status <> 'ok' RETURNING """
_INTERRUPT: Final = """
UPDATE reviews SET status = 'failed', failure = %s,
    tx = position_tx(), seq = nextval('position_seq')
WHERE status = 'pending' AND recorded_at < clock_timestamp() - make_interval(secs => %s)"""

_OVERRIDDEN: Final = "SELECT overridden FROM reviews WHERE id = %s"
_GIVE_FEEDBACK: Final = """
WITH given AS (
    INSERT INTO feedback (
        review_key, unit, epoch, weight, arm, enrolment, client_class, frontend_track,
        service_track, action, sentiment
    ) SELECT key, unit, epoch, weight, arm, enrolment, client_class, %(frontend_track)s,
        %(service_track)s, %(action)s, %(sentiment)s
    FROM reviews WHERE id = %(id)s RETURNING review_key, recorded_at
)
UPDATE reviews SET feedback_action = %(action)s, feedback_sentiment = %(sentiment)s,
    feedback_at = given.recorded_at, overridden = overridden OR %(action)s = 'override',
    tx = position_tx(), seq = nextval('position_seq')
FROM given WHERE key = review_key RETURNING feedback_at"""

_EXPOSED: Final = """
SELECT 1 FROM exposures WHERE unit = %(unit)s AND epoch = %(epoch)s AND arm = %(arm)s
    AND "trigger" = %(trigger)s"""
_ENROL: Final = """
INSERT INTO enrolments (unit, epoch, client_class)
VALUES (%(unit)s, %(epoch)s, %(client_class)s) ON CONFLICT DO NOTHING"""
_EXPOSE: Final = """
INSERT INTO exposures (
    unit, epoch, weight, arm, enrolment, "trigger", client_class, frontend_track, service_track
) SELECT %(unit)s, %(epoch)s, %(weight)s, %(arm)s, %(enrolment)s, %(trigger)s, client_class,
    %(frontend_track)s, %(service_track)s
FROM enrolments WHERE unit = %(unit)s AND epoch = %(epoch)s
ON CONFLICT DO NOTHING RETURNING key"""

_ERASE: Final = (
    """
UPDATE reviews SET unit = %(random)s, idempotency = NULL, content = NULL,
    erased_at = clock_timestamp(), tx = position_tx(), seq = nextval('position_seq')
WHERE unit = %(unit)s""",
    """
DELETE FROM review_texts USING reviews WHERE review_key = key AND unit = %(random)s""",
    """
UPDATE feedback SET unit = %(random)s, tx = position_tx(), seq = nextval('position_seq')
WHERE unit = %(unit)s""",
    """
UPDATE exposures SET unit = %(random)s, tx = position_tx(), seq = nextval('position_seq')
WHERE unit = %(unit)s""",
    "UPDATE enrolments SET unit = %(random)s WHERE unit = %(unit)s",
)

_AWAITING: Final = """
SELECT service_track, count(*) FROM reviews
WHERE status = 'ok' AND feedback_action IS NULL AND erased_at IS NULL GROUP BY service_track"""
_SIZE: Final = "SELECT pg_database_size(current_database())"

# Every transaction below the oldest open one has ended: what it wrote is here, and nothing more
# will ever appear below it.
_ONE_SNAPSHOT: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
_HORIZON: Final = """
SELECT tx_offset + pg_snapshot_xmin(pg_current_snapshot())::text::bigint FROM positions"""
_EVENTS: Final[dict[rows.EventKind, str]] = {
    "review": """
SELECT tx, seq, id, recorded_at, unit, epoch, weight, arm, enrolment, client_class,
    frontend_track, service_track, model_track, status, label, confidence, model_version,
    model_digest, confidence_shown, flags_digest, failure
FROM reviews WHERE (tx, seq) > (%(tx)s, %(seq)s) AND tx < %(horizon)s
ORDER BY tx, seq LIMIT %(limit)s""",
    "feedback": """
SELECT f.tx, f.seq, f.key, f.recorded_at, f.unit, f.epoch, f.weight, f.arm, f.enrolment,
    f.client_class, f.frontend_track, f.service_track, r.id, f.action, f.sentiment
FROM feedback f JOIN reviews r ON r.key = f.review_key
WHERE (f.tx, f.seq) > (%(tx)s, %(seq)s) AND f.tx < %(horizon)s
ORDER BY f.tx, f.seq LIMIT %(limit)s""",
    "exposure": """
SELECT tx, seq, key, recorded_at, unit, epoch, weight, arm, enrolment, client_class,
    frontend_track, service_track, "trigger"
FROM exposures WHERE (tx, seq) > (%(tx)s, %(seq)s) AND tx < %(horizon)s
ORDER BY tx, seq LIMIT %(limit)s""",
}


class PostgresStore:
    """The event store of a database; `url` is a libpq connection string."""

    def __init__(self, url: str) -> None:
        self._pool = Pool(url)

    async def open(self) -> None:
        """See `base.Store.open`; waits up to a minute for a database that is still starting."""

        async def work(connection: Connection) -> None:
            known = migrate.known("postgres")
            await migrate.migrate_postgres(connection, known, self._pool.where)

        await self._pool.open(work)

    async def close(self) -> None:
        """See `base.Store.close`."""
        await self._pool.close()

    async def check(self) -> str | None:
        """See `base.Store.check`."""

        async def ask(connection: Connection) -> None:
            await connection.execute("SELECT 1")

        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await self._pool.run(ask)
        except StoreUnavailableError as error:
            return error.reason
        except TimeoutError:
            return f"the database doesn't answer within {CHECK_SECONDS:g} s"
        return None

    async def submit(self, review: NewReview) -> StoredReview:
        """See `base.Store.submit`."""
        parameters = rows.review_parameters(review)

        async def work(connection: Connection) -> StoredReview:
            while True:
                for query in (_INSERT_REVIEW, _BY_KEY):
                    row = await _one(connection, query, parameters)
                    if row is not None:
                        return StoredReview(*row)
                # What was in the way was erased in between: so there is room now.

        return await self._pool.run(work)

    async def finish(self, review_id: str, outcome: Outcome) -> tuple[StoredReview | None, bool]:
        """See `base.Store.finish`."""
        parameters = rows.outcome_parameters(review_id, outcome)
        statement = (_FAILED if outcome.label is None else _PREDICTED) + _COLUMNS

        async def work(connection: Connection) -> tuple[StoredReview | None, bool]:
            row = await _one(connection, statement, parameters)
            if row is not None:
                return _review(row), True
            return _review(await _one(connection, _BY_ID, (review_id,))), False

        return await self._pool.run(work)

    async def review(self, review_id: str) -> StoredReview | None:
        """See `base.Store.review`."""

        async def work(connection: Connection) -> StoredReview | None:
            return _review(await _one(connection, _BY_ID, (review_id,)))

        return await self._pool.run(work)

    async def give_feedback(
        self, review_id: str, action: FeedbackAction, sentiment: Sentiment | None, origin: Origin
    ) -> FeedbackGiven | None:
        """See `base.Store.give_feedback`."""

        async def work(connection: Connection) -> FeedbackGiven | None:
            async with connection.transaction():
                row = await _one(connection, _BY_ID_LOCKED, (review_id,))
                if row is None:
                    return None
                review = StoredReview(*row)
                meant = rows.feedback_meant(review, action, sentiment)
                known = rows.feedback_in_force(review)
                if known and (known.action, known.sentiment) == (action, meant):
                    return FeedbackGiven(known, review.service_track, False, False)
                before = await _one(connection, _OVERRIDDEN, (review_id,))
                parameters = {
                    "id": review_id, "action": action, "sentiment": meant,
                    "frontend_track": origin.frontend_track,
                    "service_track": origin.service_track,
                }  # fmt: skip
                given = await _one(connection, _GIVE_FEEDBACK, parameters)
                assert before is not None and given is not None  # noqa: S101, PT018  # locked
            first = action == "override" and not before[0]
            feedback = Feedback(action, meant, given[0])
            return FeedbackGiven(feedback, review.service_track, True, first)

        return await self._pool.run(work)

    async def expose(self, trigger: Trigger, origin: Origin) -> bool:
        """See `base.Store.expose`."""
        parameters = rows.origin_parameters(origin) | {"trigger": trigger}

        async def work(connection: Connection) -> bool:
            if await _one(connection, _EXPOSED, parameters):
                return False
            async with connection.transaction():
                await connection.execute(_ENROL, parameters)
                return await _one(connection, _EXPOSE, parameters) is not None

        return await self._pool.run(work)

    async def erase(self, unit: bytes) -> int:
        """See `base.Store.erase`."""
        parameters = {"unit": unit, "random": secrets.token_bytes(len(unit))}

        async def work(connection: Connection) -> int:
            counts = []
            async with connection.transaction():
                for statement in _ERASE:
                    counts.append((await connection.execute(statement, parameters)).rowcount)
            return counts[0]

        return await self._pool.run(work)

    async def interrupt(self, older_than_seconds: float) -> int:
        """See `base.Store.interrupt`."""

        async def work(connection: Connection) -> int:
            values = (rows.INTERRUPTED, older_than_seconds)
            return (await connection.execute(_INTERRUPT, values)).rowcount

        return await self._pool.run(work)

    async def awaiting_feedback(self) -> dict[str, int]:
        """See `base.Store.awaiting_feedback`."""

        async def work(connection: Connection) -> dict[str, int]:
            return dict(await (await connection.execute(_AWAITING)).fetchall())

        return await self._pool.run(work)

    async def size(self) -> Size:
        """See `base.Store.size`; PostgreSQL doesn't tell how large its volume is."""

        async def work(connection: Connection) -> Size:
            row = await _one(connection, _SIZE)
            return Size(row[0] if row else 0, None)

        return await self._pool.run(work)

    async def events_since(self, cursor: str = START, limit: int = 1_000) -> Events:
        """See `base.Store.events_since`; a cursor is a transaction and a number within it."""
        parts = _CURSOR.fullmatch(cursor or "0-0")
        if parts is None:
            raise ValueError(f"not a cursor of this store: {cursor!r}")
        parameters: dict[str, Any] = {"tx": int(parts[1]), "seq": int(parts[2]), "limit": limit}

        async def work(connection: Connection) -> Events:
            found: list[tuple[tuple[int, int], Event]] = []
            async with connection.transaction():
                # One snapshot for the horizon and all three tables.
                await connection.execute(
                    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
                )
                horizon = await _one(connection, _HORIZON)
                parameters["horizon"] = horizon and horizon[0]
                for kind, query in _EVENTS.items():
                    result = await connection.execute(query, parameters)
                    async for tx, seq, key, recorded_at, *columns in result:
                        made = rows.event(kind, key, f"{tx}-{seq}", recorded_at, columns)
                        found.append(((tx, seq), made))
            found.sort(key=lambda item: item[0])
            events = [made for _, made in found[:limit]]
            return Events(events, events[-1].cursor if events else cursor)

        return await self._pool.run(work)


def _review(row: tuple[Any, ...] | None) -> StoredReview | None:
    return None if row is None else StoredReview(*row)


async def _one(connection: Connection, query: str, values: Any = None) -> tuple[Any, ...] | None:
    return await (await connection.execute(query.encode(), values)).fetchone()
