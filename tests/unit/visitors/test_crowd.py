"""A crowd against a small real HTTP server that behaves like app-frontend."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections import Counter
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from tests.support.certificate import self_signed

from serinus.cli import main
from serinus.errors import GatewayError, SerinusError
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
        self.port = 0
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
        self.seen[request.headers["origin"]] += 1
        return web.Response(status=303, headers={"location": "/reviews/1"})

    async def result(self, request: web.Request) -> web.Response:
        return web.Response(text=RESULT, content_type="text/html")

    async def feedback(self, request: web.Request) -> web.Response:
        form = await request.post()
        self.seen[f"{form['action']} {form.get('sentiment', '')}".strip()] += 1
        return web.Response(status=303, headers={"location": "/reviews/1"})


@asynccontextmanager
async def served(app, tls=None):
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


@pytest.fixture
async def frontend():
    frontend = Frontend()
    async with served(frontend.app) as frontend.port:
        yield frontend


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return self_signed(tmp_path_factory.mktemp("tls"), "shop.localhost")


@pytest.fixture
async def secured(certificate):
    """The frontend behind TLS; `names` are those that clients asked for in the handshake."""
    frontend = Frontend()
    frontend.names = set()
    tls = certificate.server()
    tls.sni_callback = lambda _, name, __: frontend.names.add(name)
    async with served(frontend.app, tls) as frontend.port:
        yield frontend


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
    assert frontend.seen["http://shop.localhost"] >= 40
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


async def test_a_crowd_that_nobody_answers_is_a_failure(capsys) -> None:
    assert await simulate(1, scheme="", visitors=3) == 1
    said = capsys.readouterr()
    assert "without a track   3 of 3 visitors" in said.out
    assert "no visitor was given a track by 127.0.0.1:1, asked for shop.localhost" in said.err


async def simulate(port, *words, scheme="https://", visitors=8):
    """`serinus simulate` beside the server; the exit code."""
    where = ("--gateway", f"{scheme}127.0.0.1:{port}", "--host", "shop.localhost")
    crowd = ("--visitors", str(visitors), "--rate", "500", "--feedback", "1", *where, *words)
    return await asyncio.to_thread(main.run, ["simulate", *crowd])


@pytest.mark.parametrize("scheme", ["", "https://"])
async def test_the_certificate_given_is_trusted_over_https(secured, certificate, capsys, scheme):
    assert await simulate(secured.port, "--cacert", str(certificate.file), scheme=scheme) == 0
    assert "kept their track  8 of 8 visitors" in capsys.readouterr().out
    assert (len(secured.addresses), secured.names) == (8, {"shop.localhost"})
    assert secured.seen["exposed"] >= 8
    assert secured.seen["https://shop.localhost"] >= 8


async def test_any_certificate_is_trusted_when_told_so(secured, capsys):
    assert await simulate(secured.port, "--insecure") == 0
    assert "kept their track  8 of 8 visitors" in capsys.readouterr().out


async def test_a_certificate_that_is_not_trusted_stops_the_crowd(secured, capsys):
    assert await simulate(secured.port) == 1
    said = capsys.readouterr().err
    assert f"https://shop.localhost at 127.0.0.1:{secured.port}: the certificate" in said
    assert "self-signed certificate\n  --cacert FILE" in said


async def test_a_certificate_of_another_name_stops_the_crowd(secured, certificate):
    tls = ssl.create_default_context(cafile=certificate.file)
    crowd = Crowd(2, 500, REVIEWS, ("127.0.0.1", secured.port), "other.localhost", tls=tls)
    with pytest.raises(GatewayError, match="Hostname mismatch"):
        [journey async for journey in crowd.journeys()]


async def test_a_redirect_to_https_stops_the_crowd_and_tells_the_remedy(capsys):
    async def redirect(request):
        location = f"https://{request.host}{request.path}"
        return web.Response(status=301, headers={"location": location})

    app = web.Application()
    app.router.add_get("/", redirect)
    async with served(app) as port:
        # One: a visitor who is cut off while the server accepts leaves it an open connection.
        assert await simulate(port, scheme="", visitors=1) == 1
    said = capsys.readouterr().err
    assert "answered with 301 and leads to https://shop.localhost/\n  --gateway https://" in said


async def test_https_to_a_port_of_plain_http_stops_the_crowd(frontend, capsys):
    assert await simulate(frontend.port) == 1
    said = capsys.readouterr().err
    assert "handshake failed" in said
    assert "--gateway HOST:PORT names the port of HTTPS" in said


@pytest.mark.parametrize(
    ("words", "scheme", "told"),
    [
        (("--insecure",), "http://", "plain HTTP has no certificate"),
        (("--insecure", "--cacert", __file__), "", "--insecure trusts any"),
        (("--cacert", __file__), "", "holds no certificate"),
        ((), "ftp://", "is not HOST:PORT or https://HOST:PORT"),
    ],
)
async def test_options_that_make_no_sense_are_told(words, scheme, told, capsys):
    assert await simulate(1, *words, scheme=scheme) == 2
    assert told in capsys.readouterr().err


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
