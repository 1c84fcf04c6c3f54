"""Writing a review, reading it, confirming and correcting it."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import pytest

from serinus.contracts.api import Problem
from serinus.services.app_frontend.api import RefusedError, UnavailableError


def text_of(answer: Any) -> str:
    return html.unescape(answer.body.decode())


async def test_a_review_is_written_read_and_confirmed(site: Any, visitor: Any) -> None:
    address = await visitor.write("A fine meal.\r\nTruly.")
    assert site.reviews.submissions[0][0].text == "A fine meal.\nTruly."
    shown = await visitor.get(address)
    page = visitor.page(shown)
    assert page.sentiment == "positive"
    assert "A fine meal.\nTruly." in text_of(shown)
    form = page.form("/feedback")
    assert form.buttons == [{"action": "confirm"}, {"action": "override"}]
    kept = await visitor.post(form.action, form.fields | {"action": "confirm"})
    assert (kept.status, kept.headers["location"]) == (303, address)
    again = await visitor.get(address)
    assert "You say this is right" in text_of(again)
    assert visitor.page(again).form("/feedback").buttons == [{"action": "override"}]


async def test_an_answer_can_be_changed_both_ways(site: Any, visitor: Any) -> None:
    address = await visitor.write("bad soup")
    for action, wanted in (
        ("override", "positive"),
        ("confirm", "negative"),
        ("override", "positive"),
    ):
        form = visitor.page(await visitor.get(address)).form("/feedback")
        assert form.fields["sentiment"] == "positive"
        assert {"action": action} in form.buttons
        await visitor.post(form.action, form.fields | {"action": action})
        feedback = site.reviews.reviews[address.rpartition("/")[2]][1].feedback
        assert (feedback.action, feedback.sentiment) == (action, wanted)


@pytest.mark.parametrize("fields", [{}, {"action": "like"}, {"action": "override"},
                                    {"action": "override", "sentiment": "mixed"}])  # fmt: skip
async def test_an_answer_that_no_button_gives_is_refused(
    visitor: Any, fields: dict[str, str]
) -> None:
    address = await visitor.write("Good.")
    form = visitor.page(await visitor.get(address)).form("/feedback")
    answer = await visitor.post(form.action, {"csrf": form.fields["csrf"], **fields})
    assert answer.status == 400


async def test_only_the_writer_sees_a_review(site: Any, visitor: Any) -> None:
    address = await visitor.write("Mine alone.")
    stranger = site.visitor(**{"serinus-user": "f" * 32, "app-version": "canary.7.10"})
    answer = await stranger.get(address)
    assert answer.status == 404
    assert "Mine alone" not in text_of(answer)


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "at least one character"), (" \r\n ", "at least one character"),
     ("x" * 5001, "Shorten your review by 1 character:"), ("é" * 9000, "by 4,000 characters:")],
)  # fmt: skip
async def test_a_wrong_text_is_kept_and_explained(
    site: Any, visitor: Any, text: str, message: str
) -> None:
    fields = await visitor.form("/", "/reviews")
    answer = await visitor.post("/reviews", fields | {"text": text})
    shown = text_of(answer)
    assert answer.status == 422
    assert shown.count(message) == 2  # in the summary, and beside the field
    assert 'aria-invalid="true"' in shown
    assert f">\n{text.strip()}</textarea>" in shown
    assert not site.reviews.submissions


async def test_five_thousand_characters_of_any_kind_fit(visitor: Any) -> None:
    assert await visitor.write("🍜" * 5000)


async def test_a_text_is_shown_and_never_run(visitor: Any) -> None:
    evil = "</textarea><script>alert('1')</script>\"&amp;"
    answer = await visitor.result(evil)
    assert b"<script>alert" not in answer.body
    assert evil in text_of(answer)
    fields = await visitor.form("/", "/reviews")
    refused = await visitor.post("/reviews", fields | {"text": evil + "x" * 5000})
    assert b"<script>alert" not in refused.body


async def test_what_app_service_says_of_a_text_stands_at_the_field(site: Any, visitor: Any) -> None:
    fields = await visitor.form("/", "/reviews")
    site.reviews.error = RefusedError(422, Problem("No", 422, detail="U+0000 is not allowed."))
    answer = await visitor.post("/reviews", fields | {"text": "a\0b"})
    assert answer.status == 422
    assert text_of(answer).count("U+0000 is not allowed.") == 2


async def test_sent_twice_is_one_review_and_changed_is_another(site: Any, visitor: Any) -> None:
    fields = await visitor.form("/", "/reviews")
    first = await visitor.post("/reviews", fields | {"text": "Good tea."})
    second = await visitor.post("/reviews", fields | {"text": "Good tea.\r\n"})
    changed = await visitor.post("/reviews", fields | {"text": "Good tea, cold toast."})
    assert first.headers["location"] == second.headers["location"]
    assert changed.headers["location"] != first.headers["location"]
    fresh = await visitor.form("/", "/reviews")
    other = await visitor.post("/reviews", fresh | {"text": "Good tea."})
    assert other.headers["location"] != first.headers["location"]


async def test_a_failed_sending_keeps_text_and_key(site: Any, visitor: Any) -> None:
    fields = await visitor.form("/", "/reviews")
    site.reviews.error = UnavailableError("gone", 7)
    answer = await visitor.post("/reviews", fields | {"text": "Keep <this>."})
    assert (answer.status, answer.headers["retry-after"]) == (503, "7")
    assert "Keep <this>.</textarea>" in text_of(answer)
    form = visitor.page(answer).form("/reviews")
    assert form.fields["key"] == fields["key"]
    site.reviews.error = None
    assert (await visitor.post("/reviews", form.fields | {"text": "Keep <this>."})).status == 303


async def test_confidence_is_shown_where_the_flag_is_on(make_site: Callable[..., Any]) -> None:
    on, off = make_site(), make_site("stable", show_confidence=False)
    shown = text_of(await on.visitor().result("Fine."))
    assert "<strong>87%</strong>" in shown
    assert 'value="87"' in shown
    hidden = text_of(await off.visitor().result("Fine."))
    assert "meter" not in hidden
    assert "87" not in hidden.partition("<main")[2].partition("You wrote")[0]
    assert on.reviews.submissions[0][0].show_confidence is True
    assert off.reviews.submissions[0][0].show_confidence is False


async def test_near_certainty_is_not_certainty(site: Any, visitor: Any) -> None:
    address = await visitor.write("Fine.")
    site.reviews.change(address.rpartition("/")[2], confidence=0.9999)
    assert "<strong>99%</strong>" in text_of(await visitor.get(address))


async def test_a_failed_review_can_be_sent_again(site: Any, visitor: Any) -> None:
    address = await visitor.write('A "quoted" meal.')
    site.reviews.change(
        address.rpartition("/")[2], status="failed", sentiment=None, confidence=None, model=None
    )
    site.reviews.exposures.clear()
    answer = await visitor.get(address)
    page = visitor.page(answer)
    assert answer.status == 200
    assert page.sentiment is None
    form = page.form("/reviews")
    assert form.fields["text"] == 'A "quoted" meal.'
    assert (await visitor.post("/reviews", form.fields)).status == 303
    assert not [trigger for _, trigger in site.reviews.exposures if trigger == "result"]


async def test_a_pending_review_can_be_looked_at_again(site: Any, visitor: Any) -> None:
    address = await visitor.write("Slow.")
    site.reviews.change(
        address.rpartition("/")[2], status="pending", sentiment=None, confidence=None, model=None
    )
    answer = await visitor.get(address)
    assert "still reading" in text_of(answer)
    assert visitor.page(answer).form(address)
