"""Reading a page the way a visitor does."""

from __future__ import annotations

import pytest

from serinus.errors import SerinusError
from serinus.visitors.page import read

HTML = """
<link rel="stylesheet" href="/assets/canary/abc/app.css">
<script src="/assets/canary/d/app.js"></script>
<p data-sentiment="negative">negative</p><img src="/exposures/page.gif" alt="">
<form action="/reviews/r1/feedback" method="post">
  <input type="hidden" name="csrf_token" value="t&amp;1"><input name="note" value="seen">
  <button name="action" value="confirm">Yes</button>
  <button name="action" value="override">No</button>
</form>
<input type="hidden" name="outside" value="x">
"""


def test_forms_images_assets_and_sentiment() -> None:
    page = read(HTML)
    form = page.form("/feedback")
    assert form.action == "/reviews/r1/feedback"
    assert form.fields == {"csrf_token": "t&1"}
    assert form.buttons == [{"action": "confirm"}, {"action": "override"}]
    assert page.images == ["/exposures/page.gif"]
    assert page.assets == ["/assets/canary/abc/app.css", "/assets/canary/d/app.js"]
    assert page.sentiment == "negative"


def test_a_missing_form_is_named() -> None:
    with pytest.raises(SerinusError, match="/reviews"):
        read("<p>nothing</p>").form("/reviews")
