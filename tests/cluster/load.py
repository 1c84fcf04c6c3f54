"""Visitors beside a change: each writes a review over all three hops, again and again.

Enters: a release, and the cookies that its visitors bring. Leaves: what each of them met, and that
every review which was answered is in the database. Called by the tests that change something.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from serinus.contracts.routing import VERSION_COOKIE
from serinus.errors import SerinusError
from serinus.visitors.journey import Client, Meeting
from serinus.visitors.page import read
from tests.cluster.support import APPS, TRACKS, Release, address

Cookies = Mapping[str, str]

FORCED: Cookies = {VERSION_COOKIE: "canary"}
NEW: Cookies = {}
MANY: dict[str, Cookies] = {
    "new": NEW, "also new": NEW, "third new": NEW, "forced": FORCED,
    "forced to stable": {VERSION_COOKIE: "stable"},
}  # fmt: skip
FEW: dict[str, Cookies] = {"new": NEW, "also new": NEW, "forced": FORCED}
"""For what keeps the machine busy for long: their own work is in its way."""
RIGHT = {
    f"{answer} {track}" for answer in ("page 200", "review 303", "result 200") for track in TRACKS
}


@dataclass
class Load:
    """What visitors met while something changed, by the visitor's name."""

    met: dict[str, Counter[str]] = field(default_factory=dict)
    rounds: Counter[str] = field(default_factory=Counter)
    written: list[str] = field(default_factory=list)
    running: bool = True
    came: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def failed(self) -> dict[str, int]:
        """Answers that are none, and those that two tracks or too few hops had a part in."""
        return {
            f"{name}: {outcome}": count
            for name, outcomes in self.met.items()
            for outcome, count in outcomes.items()
            if outcome not in RIGHT
        }

    @property
    def total(self) -> int:
        return sum(outcomes.total() for outcomes in self.met.values())

    def reviewed(self, name: str) -> set[str]:
        """The tracks that took this visitor's reviews over all three hops."""
        return {track for track in TRACKS if self.met[name][f"review 303 {track}"]}

    async def visit(self, release: Release, name: str, cookies: Cookies) -> None:
        """One visitor after the other comes with these cookies, until the load ends."""
        met = self.met[name]
        while self.running:
            client = Client(address(), release.host, None)
            client.cookies = dict(cookies)
            try:
                self.written += await review(client)
            except SerinusError as error:
                met[f"trouble {error}"] += 1
            finally:
                met.update(outcome(one) for one in client.meetings)
                self.rounds[name] += 1
                async with self.came:
                    self.came.notify_all()
                await client.close()
                await asyncio.sleep(0.2)

    async def reached(self, name: str, track: str, seconds: float = 60) -> None:
        """Wait until that track takes one more of this visitor's reviews."""
        met, taken = self.met[name], f"review 303 {track}"
        before = met[taken]
        await self._until(lambda: met[taken] > before, seconds)

    async def come(self, times: int) -> None:
        """Wait until each visitor has come that many times more."""
        due = {name: self.rounds[name] + times for name in self.met}
        await self._until(lambda: all(self.rounds[name] >= due[name] for name in due), 60)

    async def _until(self, found: Callable[[], bool], seconds: float) -> None:
        async with asyncio.timeout(seconds), self.came:
            await self.came.wait_for(found)


async def review(client: Client) -> list[str]:
    """Open the page, write a review, read it; the review's name, if it was taken."""
    status, html, _ = await client.request("GET", "/", "page")
    if status != 200:
        return []
    form = read(html).form("/reviews")
    text = {"text": "Warm bread, kind staff."}
    status, _, location = await client.request(
        "POST", form.action, "review", {**form.fields, **text}
    )
    if status != 303:
        return []
    await client.request("GET", location, "result")
    return [location.rpartition("/")[2]]


def outcome(one: Meeting) -> str:
    """Such as `review 303 canary`; every hop is named where they are not of one track."""
    tracks = {track for _, track in one.hops}
    whole = one.kind != "review" or [app for app, _ in one.hops] == list(APPS)
    if len(tracks) == 1 and whole:
        return f"{one.kind} {one.status} {tracks.pop()}"
    return f"{one.kind} {one.status} {', '.join('/'.join(hop) for hop in one.hops)}".strip()


async def drawn(release: Release, track: str = "canary") -> Cookies:
    """The cookies of a new visitor whom the gateway drew for that track."""
    for _ in range(300):
        cookies = await arrival(release)
        if cookies[VERSION_COOKIE].startswith(f"{track}."):
            return cookies
    raise AssertionError(f"none of 300 new visitors was drawn for {track}")


async def in_force(release: Release, canary: int, seconds: float = 60) -> None:
    """Wait until the gateway draws new visitors at that weight, which their cookie names."""
    async with asyncio.timeout(seconds):
        while (await arrival(release))[VERSION_COOKIE].rpartition(".")[2] != str(canary):
            pass


async def arrival(release: Release) -> Cookies:
    """The cookies that a new visitor is given."""
    client = Client(address(), release.host, None)
    try:
        status, _, _ = await client.request("GET", "/", "page")
    finally:
        await client.close()
    assert status == 200
    return client.cookies


@asynccontextmanager
async def under_load(
    release: Release, what: str, visitors: Mapping[str, Cookies] = MANY
) -> AsyncIterator[Load]:
    """Visitors come before, during and after what is done inside."""
    load = Load({name: Counter() for name in visitors})
    async with asyncio.TaskGroup() as group:
        for name, cookies in visitors.items():
            group.create_task(load.visit(release, name, cookies))
        try:
            await load.come(1)
            yield load
            await load.come(2)  # the first of them may have begun before the change ended
        finally:
            load.running = False
    print(f"\n{what}: {sum(load.failed.values())} of {load.total} failed {load.failed}")
    kept: set[str] = set()
    for first in range(0, len(load.written), 500):
        names = "','".join(load.written[first : first + 500])
        kept |= set(release.sql(f"SELECT id FROM reviews WHERE id IN ('{names}')"))
    assert set(load.written) - kept == set(), "a review that was answered is not in the database"
    assert load.written
