"""HTML from templates in which everything that is filled in is escaped."""

from __future__ import annotations

import string
from collections.abc import Iterable
from html import escape
from typing import Any


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


class _Formatter(string.Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        return value if isinstance(value, Markup) else escape(format(value, format_spec))


def html(template: str, **values: Any) -> Markup:
    """The template with `{name}` filled in; None as nothing."""
    return Markup(
        _Formatter().vformat(template, (), {name: "" if value is None else value for name, value in values.items()})
    )


def join(parts: Iterable[Markup | None]) -> Markup:
    return Markup("".join(part for part in parts if part))


def options(choices: Iterable[tuple[str, str]], chosen: str = "") -> Markup:
    return join(
        html(
            '<option value="{value}"{selected}>{label}</option>',
            value=value,
            label=label,
            selected=Markup(" selected" if value == chosen else ""),
        )
        for value, label in choices
    )


def table(headings: Iterable[str], rows: Iterable[Iterable[Any]], caption: str) -> Markup:
    """A table; an empty one says so."""
    head = join(html("<th scope=col>{text}</th>", text=text) for text in headings)
    body = join(
        html("<tr>{cells}</tr>", cells=join(html("<td>{text}</td>", text=text) for text in row)) for row in rows
    )
    if not body:
        return html("<p class=muted>{caption}: none.</p>", caption=caption)
    return html(
        '<div class=scroll tabindex=0 role=region aria-label="{caption}"><table><caption '
        'class=hidden>{caption}</caption>'
        "<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>",
        caption=caption, head=head, body=body,
    )  # fmt: skip
