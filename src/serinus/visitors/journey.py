"""One visitor's journey: open the page, write reviews, confirm or correct what the model read.

Enters: a `Client` with an address and cookies of its own, labelled reviews, a behaviour. Leaves:
the list of requests made and what each met. Called by `crowd`.
"""

from __future__ import annotations

import random
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Final, NamedTuple

import aiohttp

from serinus.contracts.routing import CANARY, HEADER_SERVED_BY, USER_COOKIE, VERSION_COOKIE
from serinus.errors import GatewayError, SerinusError
from serinus.visitors.page import Page, read
from serinus.visitors.tls import server_name

# What a browser sends when it opens a page: app-frontend counts visitors, not crawlers.
_BROWSER: Final = {
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36",
    "accept": "text/html,application/xhtml+xml",
    "accept-language": "en",
}


class LabelledReview(NamedTuple):
    """A review's text and what its writer meant: `positive` or `negative`."""

    text: str
    sentiment: str


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How visitors act.

    `reviews_mean` is the mean of the geometric number of reviews a visitor writes. `feedback` is
    the probability to confirm a right prediction and to correct a wrong one; in the canary the
    latter is multiplied by `1 + override_lift`.
    """

    reviews_mean: float = 3.0
    feedback: float = 0.6
    override_lift: float = 0.0

    def __post_init__(self) -> None:
        if self.reviews_mean < 1:
            raise SerinusError("a visitor writes at least one review", where="--reviews")
        if not 0 <= self.feedback <= 1:
            raise SerinusError("a probability lies between 0 and 1", where="--feedback")
        if not 0 <= self.feedback * (1 + self.override_lift) <= 1:
            raise SerinusError(
                f"a lift of {self.override_lift:+.0%} on a feedback probability of "
                f"{self.feedback:.0%} leaves the range of a probability",
                where="--override-lift",
                remedy=f"Give at most {1 / self.feedback - 1:.2f}, or a smaller --feedback."
                if self.feedback
                else "Give a --feedback above 0.",
            )

    def corrects(self, track: str, chance: random.Random) -> bool:
        """Whether a visitor of `track` corrects a wrong prediction."""
        lift = self.override_lift if track == CANARY else 0.0
        return chance.random() < self.feedback * (1 + lift)


@dataclass(frozen=True, slots=True)
class Meeting:
    """One request and its answer. `kind` is its route, `seconds` its duration.

    `hops` are `(app, track)` of every hop that served it; `status` 0 stands for no answer.
    """

    kind: str
    status: int
    seconds: float
    hops: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Journey:
    """What one visitor met; `track` and `cookie` are those of the first page."""

    track: str | None = None
    cookie: str | None = None
    meetings: list[Meeting] = field(default_factory=list)
    reviews: int = 0
    confirmed: int = 0
    overridden: int = 0
    trouble: str | None = None


class Client:
    """A browser's manners without a browser: keeps cookies, follows redirects by hand.

    `address` is the local address to connect from, `gateway` host and port to connect to, `host`
    what the Host header says, and over HTTPS (`tls` is given) the name that the certificate is for.
    """

    def __init__(
        self,
        gateway: tuple[str, int],
        host: str,
        address: str | None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        scheme = "https" if tls else "http"
        self._base = f"{scheme}://{gateway[0]}:{gateway[1]}"
        self._host = host
        self._origin = f"{scheme}://{host}"
        self._server_name = server_name(host) if tls else None
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                local_addr=(address, 0) if address else None, limit=2, ssl=tls or True
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=30),
            auto_decompress=True,
        )
        self.cookies: dict[str, str] = {}
        self.meetings: list[Meeting] = []

    async def close(self) -> None:
        """End the connections."""
        await self._session.close()

    async def request(
        self, method: str, path: str, kind: str, form: dict[str, str] | None = None
    ) -> tuple[int, str, str]:
        """One request; returns status, body and the `location` of a redirect."""
        headers = {**_BROWSER, "host": self._host}
        if self.cookies:
            headers["cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        if form is not None:
            headers["origin"] = self._origin
            headers["sec-fetch-site"] = "same-origin"
        started = time.perf_counter()
        try:
            async with self._session.request(
                method, self._base + path, data=form, headers=headers, allow_redirects=False,
                server_hostname=self._server_name,
            ) as answer:  # fmt: skip
                text = await answer.text(errors="replace")
                self._keep(answer)
                hops = _hops(answer.headers.get(HEADER_SERVED_BY, ""))
                status, location = answer.status, answer.headers.get("location", "")
        except (aiohttp.ClientError, TimeoutError) as error:
            text, hops, status, location = f"{type(error).__name__}: {error}", (), 0, ""
        self.meetings.append(Meeting(kind, status, time.perf_counter() - started, hops))
        return status, text, location

    def _keep(self, answer: aiohttp.ClientResponse) -> None:
        for header in answer.headers.getall("set-cookie", ()):
            for name, morsel in SimpleCookie(header).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value


def _hops(header: str) -> tuple[tuple[str, str], ...]:
    pairs = (part.strip().partition("/") for part in header.split(",") if part.strip())
    return tuple((app, track) for app, _, track in pairs)


async def walk(
    client: Client, reviews: Sequence[LabelledReview], behaviour: Behaviour, chance: random.Random
) -> Journey:
    """Walk one visitor through the application; what the server does is no error of the walk.

    Raises `GatewayError` for a redirect to HTTPS, which every visitor would meet.
    """
    journey = Journey()
    try:
        page = await _open(client, journey)
        while page is not None:
            page = await _review(client, journey, page, chance.choice(reviews), behaviour, chance)
            if chance.random() < 1 / behaviour.reviews_mean:
                break
            if page is None:
                break
            page = await _again(client)
    except GatewayError:
        raise
    except SerinusError as error:
        journey.trouble = str(error)
    journey.meetings = client.meetings
    return journey


async def _open(client: Client, journey: Journey) -> Page | None:
    """Open the first page, and load its pictures as a browser does."""
    status, html, location = await client.request("GET", "/", "page")
    if location.startswith("https://"):
        raise GatewayError(
            f"plain HTTP is answered with {status} and leads to {location}",
            remedy="--gateway https://HOST:PORT visits it over HTTPS",
        )
    if status != 200:
        journey.trouble = f"the first page answered {status}"
        return None
    page = read(html)
    journey.cookie = client.cookies.get(VERSION_COOKIE)
    journey.track = journey.cookie.partition(".")[0] if journey.cookie else None
    if journey.track is None or USER_COOKIE not in client.cookies:
        raise SerinusError("the first page did not set both cookies")
    for path in page.images:
        await client.request("GET", path, "exposure")
    return page


async def _again(client: Client) -> Page | None:
    status, html, _ = await client.request("GET", "/", "page")
    return read(html) if status == 200 else None


async def _review(
    client: Client,
    journey: Journey,
    page: Page,
    review: LabelledReview,
    behaviour: Behaviour,
    chance: random.Random,
) -> Page | None:
    """Write one review, read the prediction, answer it; returns the page that came last."""
    form = page.form("/reviews")
    status, _, location = await client.request(
        "POST", form.action, "review", {**form.fields, "text": review.text}
    )
    if status != 303:
        return None
    journey.reviews += 1
    status, html, _ = await client.request("GET", location, "result")
    if status != 200:
        return None
    result = read(html)
    right = result.sentiment == review.sentiment
    track = journey.track or ""
    if right and chance.random() < behaviour.feedback:
        answer = {"action": "confirm"}
    elif not right and behaviour.corrects(track, chance):
        answer = {"action": "override", "sentiment": review.sentiment}
    else:
        return result
    form = result.form("/feedback")
    status, _, location = await client.request(
        "POST", form.action, "feedback", {**form.fields, **answer}
    )
    if status == 303:
        journey.confirmed += right
        journey.overridden += not right
        await client.request("GET", location, "result")
    return result
