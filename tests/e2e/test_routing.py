"""The routing contract on the running system, asked through the real gateway."""

from __future__ import annotations

import asyncio

import pytest
from scipy.stats import binom

from serinus.contracts.routing import APPS
from serinus.visitors.page import read
from tests.e2e.support import API, FRONTEND, Answer, Run, joined

NEW, RETURNING = 2000, 500


async def _each_from_its_own_address(
    run: Run, cookies: list[str | None], first: int
) -> list[Answer]:
    """One page request per cookie, each from an address of its own, 50 at a time."""
    gate = asyncio.Semaphore(50)

    async def one(number: int, cookie: str | None) -> Answer:
        address = f"127.{200 + number // 62_500}.{number // 250 % 250}.{1 + number % 250}"
        async with gate, run.visitor(address) as ask:
            return await ask(cookie=cookie)

    return await asyncio.gather(*(one(first + n, cookie) for n, cookie in enumerate(cookies)))


async def test_new_visitors_split_by_weight_and_returning_ones_keep_their_track(
    system: Run,
) -> None:
    drawn = await _each_from_its_own_address(system, [None] * NEW, 0)
    assert {answer.status for answer in drawn} == {200}
    canary = sum(answer.track == "canary" for answer in drawn)
    low, high = binom.interval(0.999, NEW, 0.10)
    assert low <= canary <= high
    for answer in drawn:
        assert answer.cookies["app-version"].startswith(f"{answer.track}.")
        assert len(answer.cookies["serinus-user"]) == 32

    returning = await _each_from_its_own_address(
        system, [joined(answer.cookies) for answer in drawn[:RETURNING]], NEW
    )
    for before, after in zip(drawn[:RETURNING], returning, strict=True):
        assert after.status == 200
        assert after.track == before.track
        assert "app-version" not in after.cookies, "an assignment is never renewed"
        assert "serinus-user" not in after.cookies


EPOCH = "E"  # stands for the running epoch


@pytest.mark.parametrize(
    ("cookie", "track", "redrawn"),
    [
        ("app-version=stable.E.10", "stable", False),
        ("app-version=canary.E.10", "canary", False),
        ("a=1; app-version=canary.E.25; b=2", "canary", False),
        ("app-version=canary", "canary", False),
        ("app-version=stable", "stable", False),
        ("app-version=stable.E.10; app-version=canary.E.10", "stable", False),
        ("app-version=canary.E.10; app-version=stable", "stable", False),
        ("xapp-version=canary", None, True),
        ("app-version=canary2", None, True),
        ("app-version=canary.0.10", None, True),
        ("app-version=canary.E", None, True),
        ("app-version=canary.E.10x", None, True),
        ('app-version="canary"', None, True),
        ("app-version=CANARY", None, True),
        ("note=app-version=canary", None, True),
        ("pad=" + "x" * 8000 + "; app-version=canary.E.10", "canary", False),
    ],
)
async def test_cookies_are_decided_as_the_contract_says(
    system: Run, cookie: str, track: str | None, redrawn: bool
) -> None:
    epoch = str(system.epoch)
    async with system.visitor("127.193.0.7") as ask:
        answer = await ask(cookie=cookie.replace("E", epoch))
    assert answer.status == 200
    assert ("app-version" in answer.cookies) is redrawn
    if track is not None:
        assert answer.track == track


@pytest.mark.parametrize("track", ["stable", "canary"])
async def test_a_review_is_served_by_one_track_over_all_hops(system: Run, track: str) -> None:
    forced = f"app-version={track}"
    async with system.visitor("127.193.0.8") as ask:
        page = await ask(cookie=forced)
        form = read(page.text).form("/reviews")
        written = await ask(
            form.action, method="POST", cookie=f"{forced}; {joined(page.cookies)}",
            data={**form.fields, "text": "The broth was worth the queue."},
            headers={"origin": f"http://{FRONTEND}:{system.port}"},
        )  # fmt: skip
        direct = await ask(
            "/v1/reviews", method="POST", host=API, json={"text": "Sad salad."},
            headers={"x-app-version": track},
        )  # fmt: skip
    assert written.status == 303
    assert written.hops == [f"{app}/{track}" for app in APPS]
    assert direct.status == 201
    assert direct.hops == [f"{app}/{track}" for app in APPS[1:]]


async def test_the_header_forces_on_the_api_alone(system: Run) -> None:
    async with system.visitor("127.193.0.9") as ask:
        assert (await ask("/version", host=API)).track == "stable"
        page = await ask(cookie="app-version=stable", headers={"x-app-version": "canary"})
        assert page.track == "stable"


async def test_an_unknown_host_is_not_served(system: Run) -> None:
    async with system.visitor("127.193.0.10") as ask:
        assert (await ask(host="elsewhere.localhost")).status == 404


async def test_a_visitor_cannot_claim_to_be_another(system: Run) -> None:
    """`x-user` and `x-assignment` from outside are stripped before anything reads them."""
    async with system.visitor("127.193.0.11") as ask:
        mine = await ask("/v1/reviews", method="POST", host=API, json={"text": "Lovely soup."})
        spoofed = await ask(
            f"/v1/reviews/{mine.json()['id']}", host=API,
            headers={"x-user": "0" * 32, "x-assignment": "canary.1.10"},
        )  # fmt: skip
    assert mine.status == 201
    assert spoofed.status in (401, 403, 404)
