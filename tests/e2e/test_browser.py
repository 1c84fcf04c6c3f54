"""A first visit in a real browser: one track, one enrolment, a corrected review."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.support import FRONTEND, Run
from tests.support import chromium

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium.running() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, system: Run) -> Iterator[Page]:
    context = browser.new_context(base_url=f"http://{FRONTEND}:{system.port}")
    yield context.new_page()
    context.close()


def test_a_cold_first_load_ends_on_one_track_with_one_enrolment(page: Page, system: Run) -> None:
    served: list[str] = []
    page.on("response", lambda answer: served.append(answer.headers.get("x-served-by", "")))
    before = system.rows_of("SELECT count(*) FROM exposures")[0][0]
    page.goto("/", wait_until="networkidle")
    tracks = {hop.strip().partition("/")[2] for line in served for hop in line.split(",") if hop}
    assert len(tracks) == 1
    cookies = [cookie["name"] for cookie in page.context.cookies()]
    assert sorted(cookies) == ["app-version", "serinus-user"]
    new = system.rows_of("SELECT arm, trigger FROM exposures ORDER BY rowid")[before:]
    assert new == [(tracks.pop(), "page")]


@pytest.mark.parametrize("scripts", [True, False])
def test_a_review_is_written_read_and_corrected(
    browser: Browser, system: Run, scripts: bool
) -> None:
    context = browser.new_context(
        base_url=f"http://{FRONTEND}:{system.port}", java_script_enabled=scripts
    )
    page = context.new_page()
    page.goto("/")
    page.get_by_role("textbox").fill("The noodles were heavenly and the staff could not be kinder.")
    page.locator("form[action$='/reviews'] button[type=submit]").first.click()
    page.wait_for_url("**/reviews/*")
    shown = page.locator("[data-sentiment]").first.get_attribute("data-sentiment")
    assert shown == "positive"
    page.locator("form[action$='/feedback'] button").last.click()
    page.wait_for_load_state("networkidle")
    page.reload()
    action = system.rows_of("SELECT action FROM feedback ORDER BY rowid DESC LIMIT 1")[0][0]
    assert action == "override"
    context.close()


def test_another_visitor_cannot_read_the_review(browser: Browser, page: Page, system: Run) -> None:
    page.goto("/")
    page.get_by_role("textbox").fill("Private thoughts about the risotto: superb.")
    page.locator("form[action$='/reviews'] button[type=submit]").first.click()
    page.wait_for_url("**/reviews/*")
    stranger = browser.new_context(base_url=f"http://{FRONTEND}:{system.port}").new_page()
    stranger.goto("/")
    answer = stranger.goto(page.url)
    assert answer is not None
    assert answer.status == 404
    stranger.context.close()
