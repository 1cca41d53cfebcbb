"""The forms of pages, as browsers without JavaScript fill them in."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, Any]] = []
        self._select = self._area = ""
        self._text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        name = found.get("name", "")
        if tag == "form":
            self.forms.append({})
        elif tag == "input" and name and self.forms:
            self._input(name, found)
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and "selected" in found:
            self.forms[-1][self._select] = found.get("value", "")
        elif tag == "textarea":
            self._area, self._text = name, []

    def handle_data(self, data: str) -> None:
        self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""
        elif tag == "textarea" and self._area:
            self.forms[-1][self._area], self._area = "".join(self._text).removeprefix("\n").strip("\r\n"), ""

    def _input(self, name: str, found: dict[str, str]) -> None:
        if found.get("type") not in ("checkbox", "radio"):
            self.forms[-1][name] = found.get("value", "")
        elif "checked" in found:
            self.forms[-1].setdefault(name, []).append(found.get("value", "on"))


def form_with(field: str, page: str) -> dict[str, Any]:
    """What the form that has the field would send, as the page shows it."""
    parser = _Forms()
    parser.feed(page)
    return next(form for form in parser.forms if field in form)
