"""Journeys of visitors: with JavaScript, without it, with the keyboard alone."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from playwright.sync_api import Page, Route, expect
from tests.support.states import paste, result, write

from serinus.visitors.journey import Behaviour, Client, Journey, LabelledReview, walk


def focused(page: Page) -> str:
    """Tag and text of the focused element."""
    return str(page.evaluate(
        "(e => `${e.tagName.toLowerCase()} ${(e.innerText ?? '').trim()}`)(document.activeElement)"
    ))  # fmt: skip


def same_document(page: Page) -> bool:
    return bool(page.evaluate("window.marked === true"))


def answering(status: int, body: str) -> Callable[[Route], None]:
    """A route that answers in the place of the gateway."""
    return lambda route: route.fulfill(status=status, body=body)


def open_form(page: Page) -> Page:
    page.goto("/")
    page.evaluate("window.marked = true")
    return page


def test_without_javascript(new_page: Any, stack: Any) -> None:
    page = new_page(stack.canary, scripts=False)
    page.goto("/")
    write(page, "  ")
    expect(page.get_by_role("alert")).to_contain_text("Write at least one character.")
    write(page, "A bad pie.")
    expect(page.get_by_role("heading", level=1)).to_contain_text("negative")
    expect(page.locator(".confidence strong")).to_have_text("87%")
    expect(page.get_by_role("meter", name="Confidence")).to_be_visible()
    page.get_by_role("button", name="No, it’s positive").click()
    expect(page.get_by_text("You corrected this to positive.")).to_be_visible()
    page.get_by_role("button", name="negative is right").click()
    expect(page.get_by_text("You say this is right.")).to_be_visible()
    page.reload()
    expect(page.get_by_text("You say this is right.")).to_be_visible()
    address = page.url
    page.get_by_role("link", name="Write another review").click()
    expect(page.get_by_role("textbox")).to_have_value("")
    page.get_by_role("link", name="What we store").click()
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Erase my reviews").click()
    expect(page.get_by_text("The text of 1 review is gone")).to_be_visible()
    answer = page.goto(address)
    assert answer is not None
    assert answer.status == 404


def test_with_javascript_nothing_reloads(new_page: Any, stack: Any) -> None:
    page = open_form(new_page(stack.canary))
    write(page, "Lovely soup.")
    page.wait_for_url("**/reviews/*")
    expect(page.get_by_role("heading", level=1)).to_contain_text("positive")
    assert "Read as positive" in page.title()
    assert focused(page).startswith("h1")
    address = page.url
    page.get_by_role("button", name="Yes").click()
    expect(page.get_by_text("Thank you.")).to_be_visible()
    assert same_document(page)
    page.go_back()
    expect(page.get_by_role("textbox")).to_have_value("Lovely soup.")
    page.go_forward()
    expect(page.get_by_text("Thank you.")).to_be_visible()
    assert page.url == address
    assert same_document(page)
    page.reload()
    expect(page.get_by_text("Thank you.")).to_be_visible()


def test_the_keyboard_alone_suffices(new_page: Any, stack: Any) -> None:
    page = open_form(new_page(stack.canary))

    def tab_to(wanted: str) -> None:
        page.keyboard.press("Tab")
        assert focused(page) == wanted
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"

    tab_to("a Skip to the content")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert focused(page).startswith("textarea")
    page.keyboard.type("A bad pie.")
    tab_to("button Read my review")
    page.keyboard.press("Enter")
    page.wait_for_url("**/reviews/*")
    expect(page.locator("h1")).to_be_focused()
    tab_to("button Yes, that’s right")
    tab_to("button No, it’s positive")
    page.keyboard.press("Space")
    expect(page.get_by_text("Thank you.")).to_be_visible()
    expect(page.locator("h1")).to_be_focused()
    tab_to("button Change my answer: it’s negative".replace("it’s negative", "negative is right"))
    tab_to("a Write another review")
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox")).to_be_visible()
    page.get_by_role("textbox").focus()
    page.keyboard.press("Control+Enter")
    expect(page.locator(".notice")).to_be_focused()
    tab_to("a Write at least one character.")
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox")).to_be_focused()


def test_the_wait_is_visible_and_one_click_counts(new_page: Any, stack: Any) -> None:
    page = open_form(new_page(stack.canary))
    held: list[Route] = []
    page.route("**/reviews", lambda route: held.append(route))  # noqa: PLW0108
    write(page, "Lovely soup.")
    expect(page.locator("form")).to_have_attribute("aria-busy", "true")
    expect(page.get_by_role("button")).to_have_text("Reading your review…")
    expect(page.locator("#live")).to_have_text("Reading your review…")
    page.get_by_role("button").click(force=True)
    page.get_by_role("textbox").press("Control+Enter")
    assert len(held) == 1
    held[0].continue_()
    page.wait_for_url("**/reviews/*")
    expect(page.locator("#live")).to_have_text("")


def test_what_was_written_is_never_lost(new_page: Any, stack: Any) -> None:
    page = open_form(new_page(stack.canary))
    for status, body in ((429, "local_rate_limited"), (503, "upstream connect error"), (502, "")):
        page.route("**/reviews", answering(status, body))
        write(page, "Keep this.")
        expect(page.locator(".notice")).to_be_focused()
        expect(page.get_by_role("textbox")).to_have_value("Keep this.")
        expect(page.get_by_role("button")).to_have_text("Read my review")
        page.unroute("**/reviews")
    paste(page, "soup " * 55_000)
    page.get_by_role("button").click()
    expect(page.locator(".notice")).to_contain_text("far too long")
    page.context.set_offline(True)
    write(page, "Keep this.")
    expect(page.locator(".notice")).to_contain_text("no connection")
    page.context.set_offline(False)
    page.get_by_role("button").click()
    page.wait_for_url("**/reviews/*")
    assert same_document(page)


def test_app_service_away_and_back(new_page: Any, stack: Any) -> None:
    for scripts in (True, False):
        page = new_page(stack.cut_off, scripts=scripts)
        page.goto("/")
        write(page, "Keep this.")
        expect(page.get_by_role("alert")).to_contain_text("Your text is still here")
        expect(page.get_by_role("textbox")).to_have_value("Keep this.")
        expect(page.get_by_role("button")).to_have_text("Try again")


def test_the_length_is_told_before_sending(new_page: Any, stack: Any) -> None:
    page = open_form(new_page(stack.canary))
    box = page.get_by_role("textbox")
    box.fill("🍜" * 4999)
    expect(page.locator("[data-count]")).to_have_text("4,999 so far.")
    box.fill("🍜" * 5002)
    expect(page.locator("[data-count]")).to_have_text("2 too many.")
    expect(page.locator("#live")).to_have_text("Your review is too long.")
    box.fill("short")
    expect(page.locator("#live")).to_have_text("Your review fits again.")


def test_a_page_of_another_version_brings_its_own_script(new_page: Any, stack: Any) -> None:
    page = open_form(new_page(stack.canary))
    page.evaluate("document.documentElement.dataset.build = 'stable-000000000000'")
    write(page, "Lovely soup.")
    page.wait_for_url("**/reviews/*")
    expect(page.get_by_role("heading", level=1)).to_contain_text("positive")
    assert not same_document(page)


def test_nothing_is_loaded_from_elsewhere_and_nothing_is_blocked(new_page: Any, stack: Any) -> None:
    page = new_page(stack.canary)
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto("/", wait_until="networkidle")
    write(page, "Lovely soup.")
    page.wait_for_url("**/reviews/*")
    page.get_by_role("button", name="Yes").click()
    expect(page.get_by_text("Thank you.")).to_be_visible()
    assert all(address.startswith(stack.canary) for address in asked)
    assert not said
    assert len({address for address in asked if "/assets/" in address}) == 3


def test_a_first_visit_is_one_enrolment(new_page: Any, stack: Any) -> None:
    before = stack.rows("SELECT count(*) FROM exposures")[0][0]
    page = new_page(stack.canary)
    page.goto("/", wait_until="networkidle")
    new = stack.rows('SELECT arm, "trigger" FROM exposures ORDER BY key')[before:]
    assert new == [("canary", "page")]
    write(page, "Lovely soup.")
    page.get_by_role("heading", name="The model reads").wait_for()
    new = stack.rows('SELECT arm, "trigger" FROM exposures ORDER BY key')[before:]
    assert new == [("canary", "page"), ("canary", "result")]


def test_another_browser_cannot_read_it(new_page: Any, stack: Any) -> None:
    page = result(new_page, stack.canary)
    answer = new_page(stack.canary).goto(page.url)
    assert answer.status == 404


def test_simulated_visitors_read_these_pages(stack: Any) -> None:
    # In a thread of its own: Playwright keeps an event loop running in this one.
    with ThreadPoolExecutor(1) as thread:
        journey = thread.submit(asyncio.run, _walk(stack.canary)).result()
    assert journey.trouble is None
    assert journey.reviews == journey.confirmed + journey.overridden > 1
    assert journey.confirmed
    assert journey.overridden
    assert {meeting.status for meeting in journey.meetings} == {200, 303}


async def _walk(base: str) -> Journey:
    host = base.removeprefix("http://")
    address, _, port = host.partition(":")
    client = Client((address, int(port)), host, None)
    client.cookies["app-version"] = "canary.7.10"
    reviews = [LabelledReview("Lovely soup.", "positive"), LabelledReview("bad", "positive")]
    try:
        return await walk(client, reviews, Behaviour(4.0, 1.0), random.Random(5))
    finally:
        await client.close()
