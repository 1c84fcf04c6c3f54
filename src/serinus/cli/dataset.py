"""`serinus model dataset`: training data out of the event store.

Enters: an event store. Leaves: a `Review<TAB>Liked` file. What may be in it is decided here, once:
docs/model.md says the rule to people.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from serinus.errors import UsageError

if TYPE_CHECKING:
    from serinus.services.app_service.store.base import Store, StoredReview

PEOPLE: Final = frozenset({"browser", "api"})
"""Client classes whose feedback counts; a bot agrees with anything."""


@click.command()
@click.option("--from-feedback", "database", metavar="PATH|URL", envvar="DATABASE_URL",
              help="events.db of app-service, or a postgresql:// address.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True,
              help="File to write; never overwritten.")  # fmt: skip
@click.option("--with-track", is_flag=True, help="Add the track that made the prediction.")
def dataset(database: str | None, output: Path, with_track: bool) -> None:
    """Write confirmed and corrected reviews as a training file.

    Takes a review only while its writer's feedback on it stands: an erased review, or one without
    feedback, is left out. Nothing that names a visitor is written, neither id nor time.
    """
    if not database:
        raise UsageError("no event store given", where="--from-feedback")
    if output.exists():
        raise UsageError("the file exists", where=str(output), remedy="Give another --output.")
    reviews = asyncio.run(_collect(_store(database)))
    lines = rows(reviews, with_track=with_track)
    heading = "Review\tLiked" + ("\tTrack" if with_track else "")
    output.write_text("\n".join([heading, *lines]) + "\n", encoding="utf-8")
    counted = Counter(review.feedback_action for review in reviews)
    click.echo(
        f"{len(lines)} reviews in {output}: {counted['confirm']} confirmed, "
        f"{counted['override']} corrected"
    )


def rows(reviews: Iterable[StoredReview], *, with_track: bool) -> list[str]:
    """One line per distinct text, sorted, so that the order tells nothing about who wrote when.

    Of texts that several visitors judged differently none is kept: there is no right label.
    """
    found: dict[str, set[tuple[str, str]]] = {}
    for review in reviews:
        if review.erased or not review.text or not review.feedback_sentiment:
            continue
        text = " ".join(review.text.split())
        liked = "1" if review.feedback_sentiment == "positive" else "0"
        found.setdefault(text, set()).add((liked, review.model_track or review.service_track))
    lines = []
    for text, judged in sorted(found.items()):
        if len({liked for liked, _ in judged}) == 1:
            liked, track = min(judged)
            lines.append(f"{text}\t{liked}" + (f"\t{track}" if with_track else ""))
    return lines


def _store(database: str) -> Store:
    if "://" in database:
        from serinus.services.app_service.store.postgres import PostgresStore

        return PostgresStore(database)
    from serinus.services.app_service.store.sqlite import SqliteStore

    if not Path(database).is_file():
        raise UsageError("there is no event store", where=database)
    return SqliteStore(Path(database))


async def _collect(store: Store) -> list[StoredReview]:
    """Each review with feedback from a person, once."""
    await store.open()
    try:
        wanted: dict[str, None] = {}
        cursor = ""
        while (found := await store.events_since(cursor)).events:
            cursor = found.cursor
            for event in found.events:
                if event.kind == "feedback" and event.client_class in PEOPLE and event.review:
                    wanted[event.review] = None
        reviews = [await store.review(name) for name in wanted]
    finally:
        await store.close()
    return [review for review in reviews if review is not None]
