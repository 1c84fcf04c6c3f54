"""Every page and error state that a visitor can meet, and the way there.

Enters: a maker of pages and the running stack. Leaves: a page in that state. Used by the
accessibility tests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page

State = Callable[[Any, Any], Page]
STATES: dict[str, State] = {}


def _state(way: State) -> State:
    STATES[way.__name__] = way
    return way


def _at(new_page: Any, base: str, path: str = "/", **options: Any) -> Page:
    page: Page = new_page(base, **options)
    page.goto(path)
    return page


def write(page: Page, text: str) -> None:
    """Write and send a review."""
    page.get_by_role("textbox").fill(text)
    page.get_by_role("button").click()


def paste(page: Page, text: str) -> None:
    """Put a text into the field at once; `fill` types it, which takes minutes for a long one."""
    page.get_by_role("textbox").evaluate("(field, text) => { field.value = text }", text)


def result(new_page: Any, base: str, text: str = "Lovely soup.") -> Page:
    """A page that shows a review's reading."""
    page = _at(new_page, base)
    write(page, text)
    page.wait_for_url("**/reviews/*")
    page.get_by_role("heading", name="The model reads this as").wait_for()
    return page


def _form(new_page: Any, base: str, text: str, **options: Any) -> Page:
    page = _at(new_page, base, **options)
    write(page, text)
    page.locator(".notice").wait_for()
    return page


@_state
def form(new_page: Any, stack: Any) -> Page:
    return _at(new_page, stack.canary)


@_state
def form_on_stable(new_page: Any, stack: Any) -> Page:
    return _at(new_page, stack.stable)


@_state
def nothing_written(new_page: Any, stack: Any) -> Page:
    return _form(new_page, stack.canary, " ")


@_state
def too_long(new_page: Any, stack: Any) -> Page:
    return _form(new_page, stack.canary, "word " * 1200)


@_state
def read_as_positive(new_page: Any, stack: Any) -> Page:
    return result(new_page, stack.canary)


@_state
def read_as_negative(new_page: Any, stack: Any) -> Page:
    return result(new_page, stack.canary, "A bad pie.\n" + "unbroken" * 40)


@_state
def read_without_confidence(new_page: Any, stack: Any) -> Page:
    return result(new_page, stack.stable)


@_state
def confirmed(new_page: Any, stack: Any) -> Page:
    page = result(new_page, stack.canary)
    page.get_by_role("button", name="Yes").click()
    page.get_by_text("Thank you.").wait_for()
    return page


@_state
def corrected(new_page: Any, stack: Any) -> Page:
    page = result(new_page, stack.canary)
    page.get_by_role("button", name="No").click()
    page.get_by_text("Thank you.").wait_for()
    return page


@_state
def model_failed(new_page: Any, stack: Any) -> Page:
    page = _form(new_page, stack.canary, "Fine. [model down]")
    ((review,),) = stack.rows("SELECT id FROM reviews ORDER BY key DESC LIMIT 1")
    page.goto(f"/reviews/{review}")
    return page


@_state
def app_service_away_while_sending(new_page: Any, stack: Any) -> Page:
    return _form(new_page, stack.cut_off, "Keep this.")


@_state
def app_service_away_while_reading(new_page: Any, stack: Any) -> Page:
    return _at(new_page, stack.cut_off, "/reviews/" + "0" * 32)


@_state
def form_not_checked(new_page: Any, stack: Any) -> Page:
    page = _at(new_page, stack.canary)
    page.context.clear_cookies(name="serinus-user")
    write(page, "Keep this.")
    page.locator(".notice").wait_for()
    return page


@_state
def answer_not_checked(new_page: Any, stack: Any) -> Page:
    page = result(new_page, stack.canary)
    page.context.clear_cookies(name="serinus-user")
    page.get_by_role("button", name="Yes").click()
    page.get_by_text("This form could not be checked").wait_for()
    return page


@_state
def far_too_long(new_page: Any, stack: Any) -> Page:
    page = _at(new_page, stack.canary)
    paste(page, "soup " * 55_000)
    # Sends the form as a browser without JavaScript does; axe itself needs JavaScript.
    page.evaluate("document.querySelector('form').submit()")
    page.get_by_role("heading", name="far too long").wait_for()
    return page


@_state
def limited_by_the_gateway(new_page: Any, stack: Any) -> Page:
    page: Page = new_page(stack.canary)
    page.route("**/reviews", lambda route: route.fulfill(
        status=429, headers={"retry-after": "3"}, body="local_rate_limited"))  # fmt: skip
    page.goto("/")
    write(page, "Keep this.")
    page.get_by_text("Too many requests").wait_for()
    return page


@_state
def offline(new_page: Any, stack: Any) -> Page:
    page = _at(new_page, stack.canary)
    page.context.set_offline(True)
    write(page, "Keep this.")
    page.locator(".notice").wait_for()
    return page


@_state
def sending(new_page: Any, stack: Any) -> Page:
    page: Page = new_page(stack.canary)
    page.route("**/reviews", lambda _: None)  # never answered
    page.goto("/")
    write(page, "Lovely soup.")
    page.locator("form[aria-busy=true]").wait_for()
    return page


@_state
def privacy(new_page: Any, stack: Any) -> Page:
    return _at(new_page, stack.canary, "/privacy")


@_state
def box_not_ticked(new_page: Any, stack: Any) -> Page:
    page = privacy(new_page, stack)
    page.get_by_role("button", name="Erase").click()
    page.locator(".notice").wait_for()
    return page


@_state
def erased(new_page: Any, stack: Any) -> Page:
    page = result(new_page, stack.canary)
    page.goto("/privacy")
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Erase").click()
    page.get_by_text("The text of 1 review is gone").wait_for()
    return page


@_state
def nowhere(new_page: Any, stack: Any) -> Page:
    return _at(new_page, stack.canary, "/nowhere")


@_state
def broken(new_page: Any, stack: Any) -> Page:
    page = _at(new_page, stack.puzzled, "/reviews/" + "0" * 32)
    page.get_by_text("Something broke on our side").wait_for()
    return page
