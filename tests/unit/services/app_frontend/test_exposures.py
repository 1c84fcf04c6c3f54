"""Who is enrolled, when, and who is counted as drawn."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.services.app_frontend.api import UnavailableError


async def test_the_first_page_assigns_and_its_picture_enrols(site: Any) -> None:
    newcomer = site.newcomer()
    first = await newcomer.get("/", x_assignment="canary.7.10")
    assert first.headers["set-cookie"].startswith("serinus-user=")
    assert not site.reviews.exposures
    (picture,) = newcomer.page(first).images
    newcomer.cookies["app-version"] = "canary.7.10"  # which the gateway adds
    answer = await newcomer.get(picture)
    assert (answer.status, answer.headers["content-type"]) == (200, "image/gif")
    assert answer.headers["cache-control"] == "private, no-store"
    assert "set-cookie" not in answer.headers
    assert site.reviews.exposures == [(newcomer.cookies["serinus-user"], "page")]


async def test_the_id_is_never_renewed(visitor: Any) -> None:
    for path in ("/", "/privacy", "/version", "/nowhere", "/exposures/page.gif"):
        assert "set-cookie" not in (await visitor.get(path)).headers
    redrawn = await visitor.get("/", x_assignment="canary.8.10")
    assert "set-cookie" not in redrawn.headers


async def test_a_review_exposes_page_and_then_result(site: Any, visitor: Any) -> None:
    address = await visitor.write("No pictures loaded.")
    assert [trigger for _, trigger in site.reviews.exposures] == ["page"]
    await visitor.get(address)
    assert [trigger for _, trigger in site.reviews.exposures] == ["page", "result"]


@pytest.mark.parametrize(
    ("cookies", "headers"),
    [
        ({"app-version": "canary.7.10"}, {}),
        ({"serinus-user": "a" * 32}, {}),
        ({"serinus-user": "a" * 32, "app-version": "canary"}, {}),
        ({"serinus-user": "a" * 32, "app-version": "stable.7.10"}, {}),
        ({"serinus-user": "a" * 32, "app-version": "canary.6.10"},
         {"x_assignment": "canary.7.10"}),
        ({"serinus-user": "a" * 32, "app-version": "canary.7.10"}, {"sec_purpose": "prefetch"}),
    ],
)  # fmt: skip
async def test_who_is_not_enrolled(
    site: Any, cookies: dict[str, str], headers: dict[str, str]
) -> None:
    visitor = site.visitor(**cookies)
    fields = await visitor.form("/", "/reviews")
    visitor.headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if "serinus-user" not in cookies:
        del visitor.cookies["serinus-user"]
    await visitor.get("/exposures/page.gif", **headers)
    await visitor.post("/reviews", fields | {"text": "Good."})
    assert not site.reviews.exposures


async def test_looking_at_a_picture_by_head_enrols_nobody(site: Any, visitor: Any) -> None:
    assert (await visitor("HEAD", "/exposures/page.gif")).status == 200
    assert not site.reviews.exposures


async def test_an_exposure_that_fails_costs_no_picture(site: Any, visitor: Any) -> None:
    site.reviews.error = UnavailableError("gone")
    assert (await visitor.get("/exposures/page.gif")).status == 200


async def test_draws_are_counted_when_they_arrive(site: Any) -> None:
    await site.newcomer().get("/", x_assignment="canary.7.10")
    await site.newcomer().get("/", x_assignment="canary.7.10")
    await site.newcomer().get("/", x_assignment="nonsense!")
    await site.visitor().get("/")
    counted = [line for line in site.metrics().splitlines()
               if line.startswith("serinus_assignments_total{")]  # fmt: skip
    assert counted == [
        'serinus_assignments_total{app="app-frontend",epoch="7",track="canary",weight="10"} 2.0'
    ]


async def test_requests_are_counted_by_assignment(site: Any, visitor: Any) -> None:
    await visitor.get("/")
    await site.visitor(**{"app-version": "canary"}).get("/")
    text = site.metrics()
    for assignment in ("assigned", "forced"):
        assert f'assignment="{assignment}",code="200",method="GET",route="/"' in text
