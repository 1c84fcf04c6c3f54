"""A crowd against a small real HTTP server that behaves like app-frontend."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from aiohttp import web

from serinus.errors import SerinusError
from serinus.visitors.crowd import Crowd, visitor_address
from serinus.visitors.journey import Behaviour, LabelledReview
from serinus.visitors.report import Report

REVIEWS = [LabelledReview("good", "positive"), LabelledReview("bad", "negative")]
FORM = '<form action="/reviews"><input type="hidden" name="csrf_token" value="t"></form>'
RESULT = (
    '<p data-sentiment="positive"></p>'
    '<form action="/reviews/1/feedback"><input type="hidden" name="csrf_token" value="t"></form>'
)


class Frontend:
    """Assigns everyone to stable, always predicts positive, and remembers whom it met."""

    def __init__(self) -> None:
        self.addresses: set[str] = set()
        self.seen: Counter[str] = Counter()
        self.app = web.Application()
        self.app.router.add_get("/", self.page)
        self.app.router.add_get("/exposures/page.gif", self.exposure)
        self.app.router.add_post("/reviews", self.review)
        self.app.router.add_get("/reviews/1", self.result)
        self.app.router.add_post("/reviews/1/feedback", self.feedback)

    async def page(self, request: web.Request) -> web.Response:
        assert request.remote is not None
        self.addresses.add(request.remote)
        answer = web.Response(
            text=FORM + '<img src="/exposures/page.gif">', content_type="text/html",
            headers={"x-served-by": "app-frontend/stable"},
        )  # fmt: skip
        if "app-version" not in request.cookies:
            answer.set_cookie("app-version", "stable.1.10")
            answer.set_cookie("serinus-user", "u" * 32)
        return answer

    async def exposure(self, request: web.Request) -> web.Response:
        self.seen["exposed" if request.cookies.get("serinus-user") else "bare"] += 1
        return web.Response(status=204)

    async def review(self, request: web.Request) -> web.Response:
        form = await request.post()
        assert form["csrf_token"] == "t"
        assert request.headers["host"] == "shop.localhost"
        return web.Response(status=303, headers={"location": "/reviews/1"})

    async def result(self, request: web.Request) -> web.Response:
        return web.Response(text=RESULT, content_type="text/html")

    async def feedback(self, request: web.Request) -> web.Response:
        form = await request.post()
        self.seen[f"{form['action']} {form.get('sentiment', '')}".strip()] += 1
        return web.Response(status=303, headers={"location": "/reviews/1"})


@pytest.fixture
async def frontend():
    frontend = Frontend()
    runner = web.AppRunner(frontend.app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    frontend.port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined,union-attr]
    yield frontend
    await runner.cleanup()


async def test_visitors_come_from_addresses_of_their_own_and_answer_honestly(frontend) -> None:
    crowd = Crowd(
        visitors=40, rate=2000, reviews=REVIEWS, gateway=("127.0.0.1", frontend.port),
        host="shop.localhost", behaviour=Behaviour(feedback=1.0), seed=7,
    )  # fmt: skip
    report = Report()
    async for journey in crowd.journeys():
        report.add(journey)
    assert len(frontend.addresses) == 40
    assert frontend.seen["exposed"] >= 40
    assert frontend.seen["bare"] == 0
    (stable,) = report.shares()
    assert stable.visitors == 40
    assert stable.confirmed == frontend.seen["confirm"]
    assert stable.overridden == frontend.seen["override negative"]
    assert stable.confirmed + stable.overridden == stable.reviews > 40
    assert set(report.statuses) == {200, 204, 303}
    assert not report.troubles


async def test_a_gateway_that_is_not_there_is_trouble_not_a_crash() -> None:
    crowd = Crowd(1, 100, REVIEWS, ("127.0.0.1", 1), "shop.localhost", seed=1)
    (journey,) = [journey async for journey in crowd.journeys()]
    assert journey.trouble == "the first page answered 0"


def test_the_lift_applies_to_the_canary_alone() -> None:
    behaviour = Behaviour(feedback=0.5, override_lift=-1.0)
    assert not any(behaviour.corrects("canary", random.Random(n)) for n in range(50))
    assert any(behaviour.corrects("stable", random.Random(n)) for n in range(50))


@pytest.mark.parametrize("wrong", [{"feedback": 0.6, "override_lift": 1.0}, {"feedback": 1.5}])
def test_impossible_behaviour_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SerinusError, match="probability"):
        Behaviour(**wrong)


def test_addresses_differ_and_stay_in_their_block() -> None:
    addresses = {visitor_address(number) for number in range(10_000, 10_250)}
    assert len(addresses) == 250
    assert all(128 <= int(address.split(".")[1]) <= 191 for address in addresses)
