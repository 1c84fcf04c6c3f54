"""The pages around an app-service in memory, and a visitor who keeps cookies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.support.asgi import Answer, ask
from tests.support.reviews import FakeReviews

from serinus.services.app_frontend.app import application
from serinus.services.app_frontend.pages import Frontend
from serinus.services.app_frontend.settings import Settings
from serinus.services.chassis.telemetry import Telemetry
from serinus.visitors.page import Page, read

USER = "0123456789abcdef" * 2
COOKIES = {"app-version": "canary.7.10", "serinus-user": USER}


@dataclass
class Visitor:
    """A browser without a network; follows no redirect."""

    app: Any
    cookies: dict[str, str] = field(default_factory=lambda: dict(COOKIES))
    headers: dict[str, str] = field(default_factory=dict)

    async def __call__(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        sent = {"host": "serinus.test", "user-agent": "Mozilla/5.0", **self.headers}
        if self.cookies:
            sent["cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        path, _, query = path.partition("?")
        answer = await ask(self._query(query), method, path, body=body, headers=sent)
        for name, morsel in SimpleCookie(answer.headers.get("set-cookie", "")).items():
            self.cookies[name] = morsel.value
            if morsel["max-age"] == "0":
                del self.cookies[name]
        return answer

    def _query(self, query: str) -> Any:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await self.app(scope | {"query_string": query.encode()}, receive, send)

        return app

    async def get(self, path: str, **headers: str) -> Answer:
        return await self("GET", path, **headers)

    async def post(self, path: str, fields: dict[str, str], **headers: str) -> Answer:
        kind = {"content_type": "application/x-www-form-urlencoded"}
        return await self("POST", path, urlencode(fields).encode(), **kind | headers)

    @staticmethod
    def page(answer: Answer) -> Page:
        return read(answer.body.decode())

    async def form(self, path: str, ending: str) -> dict[str, str]:
        """The hidden fields of a form on a page."""
        return self.page(await self.get(path)).form(ending).fields

    async def write(self, text: str) -> str:
        """Write a review and return its address."""
        fields = await self.form("/", "/reviews")
        answer = await self.post("/reviews", fields | {"text": text})
        assert answer.status == 303, answer.body.decode()
        return answer.headers["location"]

    async def result(self, text: str) -> Answer:
        """The page of a review just written."""
        return await self.get(await self.write(text))


@dataclass
class Site:
    """One process of app-frontend."""

    app: Any
    reviews: FakeReviews
    telemetry: Telemetry

    def visitor(self, **cookies: str) -> Visitor:
        """A returning visitor, or one with just these cookies."""
        return Visitor(self.app, cookies or dict(COOKIES))

    def newcomer(self) -> Visitor:
        return Visitor(self.app, {})

    def metrics(self) -> str:
        return self.telemetry.exposition().decode()


@pytest.fixture
def make_site() -> Callable[..., Site]:
    def make(track: str = "canary", *, show_confidence: bool = True) -> Site:
        settings = Settings(
            app="app-frontend",
            track=track,
            version="0.1.0",
            session_key="a-session-key-for-tests",
            show_confidence=show_confidence,
        )
        reviews, telemetry = FakeReviews(track), Telemetry(settings)
        app = telemetry.middleware(application(Frontend(settings, reviews), telemetry))
        return Site(app, reviews, telemetry)

    return make


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    return make_site()


@pytest.fixture
def visitor(site: Site) -> Visitor:
    return site.visitor()
