"""The footer's versions, and GET /version."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.reviews import FakeReviews

from serinus.services.app_frontend import versions as room
from serinus.services.app_frontend.api import UnavailableError
from serinus.services.app_frontend.versions import Versions


async def test_the_footer_names_three_services_and_the_model(visitor: Any) -> None:
    footer = (await visitor.get("/")).body.decode().partition("<footer")[2]
    for part in ("app-frontend", "0.1.0", "app-service", "0.2.0", "model-service", "0.3.0",
                 "canary", "reviews v2"):  # fmt: skip
        assert part in footer


async def test_version_tells_the_whole_chain(site: Any, visitor: Any) -> None:
    answer = (await visitor.get("/version")).json()
    assert answer["app"] == "app-frontend"
    assert answer["model"]["version"] == "v2"
    assert answer["upstream"]["upstream"]["app"] == "model-service"
    site.reviews.error = UnavailableError("gone")
    assert (await visitor.get("/version")).json()["upstream"] is None


async def test_only_the_first_page_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeReviews()
    versions = Versions(fake)
    known = await versions.upstream()
    assert known is not None
    await versions.upstream()
    assert fake.versions_asked == 1
    monkeypatch.setattr(room, "FRESH_SECONDS", -1.0)
    fake.error = UnavailableError("gone")
    fake.version_asked.clear()
    assert await versions.upstream() == known  # the old answer, at once
    await fake.version_asked.wait()
    assert await versions.upstream() is None
    await versions.close()


async def test_an_unreachable_service_is_named(site: Any, visitor: Any) -> None:
    site.reviews.error = UnavailableError("gone")
    footer = (await visitor.get("/")).body.decode().partition("<footer")[2]
    assert footer.count("not reachable") == 3


async def test_crawlers_are_told_to_stay_out(visitor: Any) -> None:
    assert b"Disallow: /reviews" in (await visitor.get("/robots.txt")).body
