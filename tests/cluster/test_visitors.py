"""Draws, returns, and one track all the way, on Istio's gateway."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import pytest

from serinus.contracts.routing import USER_COOKIE, VERSION_COOKIE
from serinus.visitors.crowd import Crowd
from serinus.visitors.journey import Client, LabelledReview
from serinus.visitors.page import Form, read
from tests.cluster.load import in_force, outcome
from tests.cluster.support import APPS, Release, address, spawn
from tests.routing.table import load

TABLE = load()
AT_ONCE = 16
T = TypeVar("T")


async def at_once(tasks: Iterable[Callable[[], Awaitable[T]]]) -> list[T]:
    """Run them, a few at a time."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(task: Callable[[], Awaitable[T]]) -> T:
        async with gate:
            return await task()

    return await asyncio.gather(*(one(task) for task in tasks))


async def arrive(release: Release) -> tuple[Client, Form]:
    """A new visitor, and the form of its first page."""
    client = Client(address(), release.host, None)
    try:
        status, html, _ = await client.request("GET", "/", "page")
    finally:
        await client.close()
    assert status == 200
    assert client.cookies.keys() >= {VERSION_COOKIE, USER_COOKIE}
    return client, read(html).form("/reviews")


def interval(count: int, share: float) -> tuple[int, int]:
    """The narrowest central interval that holds a binomial count with 99.9 %."""
    chance = [
        math.exp(
            math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1)
            + k * math.log(share) + (count - k) * math.log1p(-share)
        )
        for k in range(count + 1)
    ]  # fmt: skip
    low, below = 0, chance[0]
    while below < 0.0005:
        low += 1
        below += chance[low]
    high, above = count, chance[count]
    while above < 0.0005:
        high -= 1
        above += chance[high]
    return low, high


async def test_2000_new_visitors_split(release: Release) -> None:
    clients = [client for client, _ in await at_once([lambda: arrive(release)] * 2000)]
    drawn = Counter(client.cookies[VERSION_COOKIE].split(".")[0] for client in clients)
    low, high = interval(2000, TABLE.weight / 100)
    print(f"\ncanary {drawn['canary']} of 2000, expected {low} to {high}")
    assert low <= drawn["canary"] <= high
    for client in clients:
        track, epoch, weight = client.cookies[VERSION_COOKIE].split(".")
        assert (epoch, weight) == (str(TABLE.epoch), str(TABLE.weight))
        assert {track for _, track in client.meetings[0].hops} == {track}


async def returns(release: Release, known: Client, form: Form) -> str:
    """A visitor comes back on a new connection and sends a review, which takes all three hops.

    Gives what is wrong, or nothing.
    """
    client = Client(address(), release.host, None)
    client.cookies = dict(known.cookies)
    # The form is that of the first visit; another text makes another review of it.
    fields = {**form.fields, "text": f"Warm bread, kind staff, {len(known.meetings)}."}
    try:
        await client.request("POST", form.action, "review", fields)
    finally:
        await client.close()
    known.meetings += client.meetings
    drawn = known.cookies[VERSION_COOKIE].split(".")[0]
    if client.cookies != known.cookies:
        return f"cookies became {client.cookies}"
    met = outcome(client.meetings[0])
    return "" if met == f"review 303 {drawn}" else f"{drawn} met {met}"


async def test_300_returning_visitors_keep_their_track(release: Release) -> None:
    clients = await at_once([lambda: arrive(release)] * 300)

    async def all_return(after: str) -> None:
        found = await at_once(
            [lambda c=client, f=form: returns(release, c, f) for client, form in clients]
        )
        assert not any(found), f"after {after}: {Counter(found)}"

    try:
        for canary in (25, 0, 60):
            weights = f"rollout.weights.stable={100 - canary},rollout.weights.canary={canary}"
            await release.change("--set", weights)
            await in_force(release, canary)
            await all_return(f"weight {canary}")
        await spawn("helm", "rollback", "serinus", "-n", release.namespace)
        await in_force(release, 0)
        await all_return("helm rollback")
        await spawn(*restart(release, "restart"))
        await all_return("the beginning of a rolling restart")
        await spawn(*restart(release, "status"), "--timeout=180s")
        await all_return("a rolling restart")
    finally:
        release.helm("--wait", "--timeout", "5m")


def restart(release: Release, verb: str) -> tuple[str, ...]:
    """Of every pod of the application, in both tracks."""
    apps = f"app in ({', '.join(APPS)})"
    return ("kubectl", "-n", release.namespace, "rollout", verb, "deployment", "-l", apps)


async def test_no_request_mixes_tracks_over_three_hops(release: Release) -> None:
    before = release.metric("serinus_mixed_track_requests_total")
    reviews = [
        LabelledReview("Lovely staff.", "positive"),
        LabelledReview("Cold food.", "negative"),
    ]
    crowd = Crowd(60, 10, reviews, address(), release.host, own_addresses=False, at_once=8)
    met: Counter[str] = Counter()
    async for journey in crowd.journeys():
        assert journey.trouble is None
        for meeting in journey.meetings:
            met[f"{meeting.kind} {meeting.status}"] += 1
            assert {track for _, track in meeting.hops} <= {journey.track}
            if meeting.kind == "review":
                assert [app for app, _ in meeting.hops] == list(APPS)
    print(f"\n{dict(met)}")
    assert {name.split()[1] for name in met} <= {"200", "303"}
    assert release.metric("serinus_mixed_track_requests_total") == before


def test_the_interval_is_the_binomial_one() -> None:
    assert interval(2000, 0.1) == pytest.approx((157, 245), abs=2)
