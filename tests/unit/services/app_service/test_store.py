"""What every event store must do, the same on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from serinus.contracts.routing import Assignment
from serinus.services.app_service.store.base import (
    START,
    Event,
    NewReview,
    NoPredictionError,
    Origin,
    Store,
)

from .conftest import CANARY_7, MODEL, STABLE_7, failed, origin, predicted, review


async def write(store: Store, by: Origin, label: str = "positive", **fields: Any) -> NewReview:
    new = review(by, **fields)
    await store.submit(new)
    await store.finish(new.id, predicted(by, label))
    return new


async def events(store: Store, cursor: str = START) -> list[Event]:
    return (await store.events_since(cursor)).events


async def test_a_review_is_pending_before_its_prediction(store: Store) -> None:
    new = review()
    pending = await store.submit(new)
    assert (pending.id, pending.status, pending.label, pending.text) == (
        new.id, "pending", None, "Good soup.",
    )  # fmt: skip
    assert await store.review(new.id) == pending
    done, changed = await store.finish(new.id, predicted(new.origin))
    assert changed
    assert done == await store.review(new.id)
    assert done is not None
    assert (done.status, done.label, done.confidence) == ("ok", "positive", 0.9)
    assert (done.model_name, done.model_version, done.model_digest) == (
        MODEL.name, MODEL.version, MODEL.digest,
    )  # fmt: skip
    assert (done.frontend_track, done.service_track, done.model_track) == ("canary",) * 3
    assert (done.arm, done.epoch, done.weight, done.enrolment) == ("canary", 7, 10, "assigned")


async def test_times_are_the_databases_in_utc(store: Store) -> None:
    before = datetime.now(UTC)
    found = await store.submit(review())
    assert before - timedelta(seconds=1) < found.recorded_at < datetime.now(UTC) + timedelta(1)
    assert found.recorded_at.utcoffset() == timedelta(0)


async def test_the_same_key_finds_the_first_review(store: Store) -> None:
    first = review(idempotency=b"k" * 16)
    again = review(first.origin, "Other soup.", idempotency=b"k" * 16)
    someone = review(idempotency=b"k" * 16)
    assert (await store.submit(first)).id == first.id
    found = await store.submit(again)
    assert (found.id, found.text, found.content) == (first.id, "Good soup.", first.content)
    assert (await store.submit(someone)).id == someone.id
    assert await store.review(again.id) is None


async def test_the_same_key_at_once_is_one_review(store: Store) -> None:
    by = origin()
    found = await asyncio.gather(
        *(store.submit(review(by, idempotency=b"k" * 16)) for _ in range(20))
    )
    assert len({one.id for one in found}) == 1


async def test_a_failure_can_be_made_good_but_a_prediction_stays(store: Store) -> None:
    new = review()
    await store.submit(new)
    stored, changed = await store.finish(new.id, failed(new.origin))
    assert stored is not None
    assert (changed, stored.status, stored.failure) == (
        True, "failed", "The model can't be reached.",
    )  # fmt: skip
    retried = origin(new.origin.unit, Assignment("stable", 8, 0, "assigned"))
    stored, changed = await store.finish(new.id, predicted(retried, "negative"))
    assert stored is not None
    assert (changed, stored.status, stored.failure, stored.label) == (True, "ok", None, "negative")
    assert (stored.arm, stored.epoch) == ("canary", 7), "the arm is that of the submission"
    assert stored.service_track == "stable", "the track is the one that served"
    for outcome in (failed(new.origin), predicted(new.origin, "positive")):
        stored, changed = await store.finish(new.id, outcome)
        assert stored is not None
        assert (changed, stored.status, stored.label) == (False, "ok", "negative")


async def test_finishing_an_unknown_review_finds_nothing(store: Store) -> None:
    assert await store.finish("0" * 32, failed(origin())) == (None, False)


async def test_feedback_changes_as_often_as_its_writer_likes(store: Store) -> None:
    new = await write(store, origin())
    given = await store.give_feedback(new.id, "override", "negative", new.origin)
    assert given is not None
    assert (given.changed, given.first_override, given.review_track) == (True, True, "canary")
    same = await store.give_feedback(new.id, "override", "negative", new.origin)
    assert same is not None
    assert (same.changed, same.feedback) == (False, given.feedback)
    confirmed = await store.give_feedback(new.id, "confirm", None, new.origin)
    assert confirmed is not None
    assert (confirmed.feedback.action, confirmed.feedback.sentiment) == ("confirm", "positive")
    again = await store.give_feedback(new.id, "override", "negative", new.origin)
    assert again is not None
    assert (again.changed, again.first_override) == (True, False)
    stored = await store.review(new.id)
    assert stored is not None
    assert (stored.feedback_action, stored.feedback_sentiment) == ("override", "negative")
    kept = [event.action for event in await events(store) if event.kind == "feedback"]
    assert kept == ["override", "confirm", "override"]


async def test_the_same_feedback_at_once_is_one_row(store: Store) -> None:
    new = await write(store, origin())
    given = await asyncio.gather(
        *(store.give_feedback(new.id, "override", "negative", new.origin) for _ in range(12))
    )
    assert Counter(one.changed for one in given if one) == {True: 1, False: 11}
    assert sum(one.first_override for one in given if one) == 1


async def test_feedback_belongs_to_the_arm_of_its_review(store: Store) -> None:
    new = await write(store, origin(assignment=CANARY_7))
    later = origin(new.origin.unit, Assignment("stable", 8, 0, "assigned"), client_class="api")
    given = await store.give_feedback(new.id, "override", "negative", later)
    assert given is not None
    assert given.review_track == "canary"
    (event,) = [event for event in await events(store) if event.kind == "feedback"]
    assert (event.arm, event.epoch, event.weight, event.client_class) == (
        "canary", 7, 10, "browser",
    )  # fmt: skip
    assert (event.frontend_track, event.service_track) == ("stable", "stable")
    assert (event.review, event.unit) == (new.id, new.origin.unit)


@pytest.mark.parametrize(
    ("label", "action", "sentiment"),
    [
        (None, "confirm", None),
        (None, "override", "negative"),
        ("positive", "override", "positive"),
        ("positive", "override", None),
    ],
)
async def test_feedback_without_sense_is_refused(
    store: Store, label: str | None, action: Any, sentiment: Any
) -> None:
    new = review()
    await store.submit(new)
    if label:
        await store.finish(new.id, predicted(new.origin, label))
    with pytest.raises(NoPredictionError):
        await store.give_feedback(new.id, action, sentiment, new.origin)
    assert not [event for event in await events(store) if event.kind == "feedback"]


async def test_feedback_on_nothing_finds_nothing(store: Store) -> None:
    assert await store.give_feedback("0" * 32, "confirm", None, origin()) is None


async def test_the_first_exposure_wins(store: Store) -> None:
    first = origin()
    later = origin(first.unit, Assignment("canary", 7, 25, "assigned"))
    assert await store.expose("page", first)
    assert not await store.expose("page", later)
    assert await store.expose("result", later)
    assert await store.expose("page", origin(first.unit, STABLE_7)), "another arm is another row"
    next_epoch = Assignment("canary", 8, 10, "assigned")
    assert await store.expose("page", origin(first.unit, next_epoch))
    kept = [(event.trigger, event.arm, event.epoch, event.weight) for event in await events(store)]
    assert kept == [
        ("page", "canary", 7, 10),
        ("result", "canary", 7, 25),
        ("page", "stable", 7, 10),
        ("page", "canary", 8, 10),
    ]  # fmt: skip


async def test_one_exposure_from_two_stores_at_once(
    store: Store, make_store: Callable[[], Store]
) -> None:
    second = make_store()
    await second.open()
    try:
        for _ in range(10):
            by = origin()
            recorded = await asyncio.gather(
                *(one.expose("page", by) for one in (store, second) for _ in range(3))
            )
            assert sum(recorded) == 1
    finally:
        await second.close()
    assert len(await events(store)) == 10


async def test_the_client_class_is_fixed_at_enrolment(store: Store) -> None:
    unit = secrets.token_bytes(16)
    await store.expose("page", origin(unit, client_class="bot"))
    browser = origin(unit)
    await store.expose("result", browser)
    await store.submit(review(browser))
    assert {event.client_class for event in await events(store)} == {"bot"}
    next_epoch = Assignment("canary", 8, 10, "assigned")
    await store.expose("page", origin(unit, next_epoch))
    assert (await events(store))[-1].client_class == "browser"


async def test_forced_and_unassigned_reviews_are_kept_as_such(store: Store) -> None:
    await write(store, origin(assignment=Assignment("canary", None, None, "forced")))
    await write(store, origin(assignment=Assignment(None, None, None, "none"), client_class="api"))
    assert [(event.enrolment, event.arm, event.epoch) for event in await events(store)] == [
        ("forced", "canary", None),
        ("none", None, None),
    ]


def sums(found: list[Event]) -> Counter[Any]:
    return Counter(
        (event.kind, event.arm, event.epoch, event.status, event.label, event.action,
         event.sentiment, event.trigger, event.client_class)
        for event in found
    )  # fmt: skip


async def test_erasure_forgets_the_writer_and_keeps_the_sums(store: Store) -> None:
    erased, stays = origin(), origin()
    written = []
    for by in (erased, stays):
        await store.expose("page", by)
        await store.expose("result", by)
        for number in range(3):
            new = await write(store, by, text=f"Soup {number}", idempotency=bytes([number]) * 16)
            await store.give_feedback(new.id, "override", "negative", by)
            written.append(new)
    before = await events(store)
    cursor = before[-1].cursor
    assert await store.erase(erased.unit) == 3
    after = await events(store)
    assert sums(after) == sums(before)
    by_unit = Counter(event.unit for event in after)
    assert erased.unit not in by_unit
    assert sorted(by_unit.values()) == [8, 8], "one random unit, everywhere"
    gone = await store.review(written[0].id)
    assert gone is not None
    assert (gone.text, gone.erased, gone.content, gone.label) == (None, True, None, "positive")
    other = await store.review(written[3].id)
    assert other is not None
    assert (other.text, other.erased) == ("Soup 0", False)
    changed = await events(store, cursor)
    assert len(changed) == 8, "a reader with a cursor learns of it"
    assert {event.unit for event in changed} == set(by_unit) - {stays.unit}
    assert await store.erase(erased.unit) == 0
    # The key is free again, and an exposure of the same visitor is a new one.
    assert (await store.submit(again := review(erased, idempotency=b"\0" * 16))).id == again.id
    assert await store.expose("page", erased)


async def test_a_prediction_may_end_after_the_erasure(store: Store) -> None:
    new = review()
    await store.submit(new)
    await store.erase(new.origin.unit)
    stored, _ = await store.finish(new.id, predicted(new.origin))
    assert stored is not None
    assert (stored.status, stored.text, stored.erased) == ("ok", None, True)
    assert stored.unit != new.origin.unit


async def test_a_cursor_sees_each_row_in_its_last_state(store: Store) -> None:
    first, second = review(), review()
    await store.submit(first)
    page = await store.events_since()
    assert [(event.id, event.status) for event in page.events] == [(first.id, "pending")]
    await store.submit(second)
    await store.finish(first.id, predicted(first.origin))
    page = await store.events_since(page.cursor)
    assert [(event.id, event.status) for event in page.events] == [
        (second.id, "pending"),
        (first.id, "ok"),
    ]
    empty = await store.events_since(page.cursor)
    assert (empty.events, empty.cursor) == ([], page.cursor)


async def test_pages_of_events_join_without_gap_or_double(store: Store) -> None:
    for _ in range(4):
        by = origin()
        await store.expose("page", by)
        new = await write(store, by)
        await store.give_feedback(new.id, "confirm", None, by)
    whole = await events(store)
    assert len(whole) == 12
    collected: list[Event] = []
    cursor = START
    while (page := await store.events_since(cursor, limit=5)).events:
        assert len(page.events) <= 5
        collected += page.events
        cursor = page.cursor
    assert collected == whole


async def test_a_review_event_tells_all_that_analysis_needs(store: Store) -> None:
    new = await write(store, origin())
    (event,) = await events(store)
    assert event.kind == "review"
    assert (event.id, event.unit, event.label, event.confidence) == (
        new.id, new.origin.unit, "positive", 0.9,
    )  # fmt: skip
    assert (event.model_version, event.model_digest) == (MODEL.version, MODEL.digest)
    assert (event.confidence_shown, event.flags_digest) == (True, "f" * 16)
    assert event.recorded_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize("cursor", ["nonsense", "-1", "1;2", "1.5"])
async def test_a_foreign_cursor_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(ValueError, match="cursor"):
        await store.events_since(cursor)


async def test_reviews_awaiting_feedback_are_counted_by_track(store: Store) -> None:
    canary, stable = origin(), origin(assignment=STABLE_7)
    first = await write(store, canary)
    await write(store, canary)
    await write(store, stable)
    await store.submit(review(stable))
    assert await store.awaiting_feedback() == {"canary": 2, "stable": 1}
    await store.give_feedback(first.id, "confirm", None, canary)
    await store.erase(stable.unit)
    assert await store.awaiting_feedback() == {"canary": 1}


async def test_what_a_dead_process_left_pending_is_marked(store: Store) -> None:
    old = review()
    await store.submit(old)
    assert await store.interrupt(60) == 0
    assert await store.interrupt(-60) == 1
    assert await store.interrupt(-60) == 0
    stored = await store.review(old.id)
    assert stored is not None
    assert stored.status == "failed"
    assert stored.failure == "The service stopped before the prediction was made."
    assert (await store.finish(old.id, predicted(old.origin)))[1], "and can still succeed"


async def test_everything_is_there_after_a_restart(
    store: Store, make_store: Callable[[], Store]
) -> None:
    new = await write(store, origin(), text="Die Suppe war köstlich \U0001f35c")
    before = await store.events_since()
    reopened = make_store()
    await reopened.open()
    try:
        assert await reopened.review(new.id) == await store.review(new.id)
        assert await reopened.events_since() == before
        await write(reopened, origin())
        assert len((await store.events_since(before.cursor)).events) == 1
    finally:
        await reopened.close()


async def test_a_store_tells_its_size_and_that_it_works(store: Store) -> None:
    assert await store.check() is None
    size = await store.size()
    assert size.used > 0
    assert size.capacity is None or size.capacity > size.used
