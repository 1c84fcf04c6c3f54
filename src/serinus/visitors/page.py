"""What a visitor reads on a page: its forms, its pictures, and the sentiment it shows.

Enters: HTML of app-frontend. Leaves: a `Page`. Called by `visitor`; also by whole-system tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

from serinus.errors import SerinusError


@dataclass(slots=True)
class Form:
    """One form: where it goes, and the values that its hidden fields and buttons carry."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[dict[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class Page:
    """`sentiment` is the prediction shown, `None` on pages that show none."""

    forms: list[Form] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    assets: list[str] = field(default_factory=list)
    sentiment: str | None = None

    def form(self, ending: str) -> Form:
        """The form whose action ends with `ending`; SerinusError when the page has none."""
        for form in self.forms:
            if form.action.endswith(ending):
                return form
        raise SerinusError(f"the page has no form that goes to {ending!r}")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self._form: Form | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if "data-sentiment" in values:
            self.page.sentiment = values["data-sentiment"]
        match tag:
            case "form":
                self._form = Form(values.get("action", ""))
                self.page.forms.append(self._form)
            case "input" if self._form is not None and values.get("type") == "hidden":
                self._form.fields[values.get("name", "")] = values.get("value", "")
            case "button" if self._form is not None and values.get("name"):
                self._form.buttons.append({values["name"]: values.get("value", "")})
            case "img" if values.get("src"):
                self.page.images.append(values["src"])
            case "link" if values.get("rel") in ("stylesheet", "icon") and values.get("href"):
                self.page.assets.append(values["href"])
            case "script" if values.get("src"):
                self.page.assets.append(values["src"])

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None


def read(html: str) -> Page:
    """Read one page."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.page
