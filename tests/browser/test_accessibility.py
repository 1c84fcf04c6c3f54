"""Every page and error state meets WCAG 2.2 AA as axe sees it, light and dark, small and wide."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page
from tests.support.states import STATES

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
AXE = Axe()


def violations(page: Page) -> list[str]:
    found = AXE.run(page, options={"runOnly": {"type": "tag", "values": TAGS}}).response
    return [
        f"{rule['id']}: {node['html']}: {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("state", STATES)
def test_every_state_is_accessible(new_page: Any, stack: Any, state: str) -> None:
    page = STATES[state](new_page, stack)
    # A colour on its way to another one would be measured as neither.
    page.emulate_media(reduced_motion="reduce")
    for width, height in ((320, 700), (1280, 900)):
        page.set_viewport_size({"width": width, "height": height})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            assert violations(page) == [], f"{width} {scheme}"
        scroll = page.evaluate("document.scrollingElement.scrollWidth")
        assert scroll <= width, f"{scroll} pixels wide on {width}"


def test_the_check_sees_what_is_wrong(new_page: Any, stack: Any) -> None:
    page = STATES["form"](new_page, stack)
    page.evaluate("document.querySelector('label').remove()")
    page.evaluate("document.querySelector('.lead').style.color = '#bbb'")
    found = "\n".join(violations(page))
    assert "label" in found
    assert "color-contrast" in found
